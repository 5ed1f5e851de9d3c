# Shared by the zig toolchains: the compiler is a command of the Python that holds the ziglang wheel.
find_program(PRIOT_PYTHON NAMES python3 python REQUIRED)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PRIOT_PYTHON)
set(CMAKE_C_COMPILER "${PRIOT_PYTHON}" -m ziglang cc ${PRIOT_ZIG_TARGET})
# CMAKE_C_COMPILER_TARGET instead would leave assembly without a target.
set(CMAKE_ASM_COMPILER ${CMAKE_C_COMPILER})
# Else CMake takes a system ar without a word, or stops where there is none.
set(CMAKE_C_ARCHIVE_CREATE "\"${PRIOT_PYTHON}\" -m ziglang ar qc <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "")
