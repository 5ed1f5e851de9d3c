# The pinned ziglang wheel (clang inside) for the RP2040's Cortex-M0+.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m0plus)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(PRIOT_ZIG_TARGET -target thumb-freestanding-eabi -mcpu=cortex_m0plus)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
set(CMAKE_C_FLAGS_INIT "-ffreestanding -fno-sanitize=all")
