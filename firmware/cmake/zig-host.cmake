# The pinned ziglang wheel for this machine. Without `baseline` zig would take the native CPU, and results could only be
# repeated on a machine of the same kind.
set(PRIOT_ZIG_TARGET -mcpu=baseline)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
set(CMAKE_C_FLAGS_INIT "-fno-sanitize=all")
