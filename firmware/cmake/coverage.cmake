# Counts of lines and branches, by clang's own instrumentation: it counts what the source says, whatever the optimizer
# makes of it. (gcc's counts do not see a conditional expression that it has folded.) As with the sanitizers, the
# compiler first has to prove itself: it counts a planted program, whose counts are known.
set(PRIOT_COUNTS "${CMAKE_BINARY_DIR}/counts") # a file for each process, unless LLVM_PROFILE_FILE says another
set(flags "-fprofile-instr-generate=${PRIOT_COUNTS}/%p.profraw" -fcoverage-mapping)

if(NOT PRIOT_COUNTED)
    foreach(tool IN ITEMS llvm-profdata llvm-cov)
        execute_process(COMMAND "${CMAKE_C_COMPILER}" "-print-prog-name=${tool}"
            OUTPUT_VARIABLE ${tool} OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
    set(planted "${CMAKE_BINARY_DIR}/planted")
    set(source "${CMAKE_CURRENT_LIST_DIR}/planted_branches.c")
    file(MAKE_DIRECTORY "${planted}")
    execute_process(COMMAND "${CMAKE_C_COMPILER}" -fprofile-instr-generate=raw -fcoverage-mapping -O2 "${source}" -o program
        WORKING_DIRECTORY "${planted}" RESULT_VARIABLE status ERROR_VARIABLE errors)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${CMAKE_C_COMPILER} cannot build with coverage: ${errors}")
    endif()
    execute_process(COMMAND ./program WORKING_DIRECTORY "${planted}" COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${llvm-profdata}" merge -o merged raw
        WORKING_DIRECTORY "${planted}" RESULT_VARIABLE status ERROR_VARIABLE errors)
    if(status EQUAL 0)
        execute_process(COMMAND "${llvm-cov}" export -format=lcov -instr-profile=merged program
            WORKING_DIRECTORY "${planted}" RESULT_VARIABLE status OUTPUT_VARIABLE counted ERROR_VARIABLE errors)
    endif()
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${CMAKE_C_COMPILER} accepts the flags and counts nothing: ${errors}")
    endif()
    # The program says itself what must be counted: `DA:line,times` and `BRDA:line,block,branch,times`.
    file(STRINGS "${source}" known REGEX "DA:")
    string(REGEX MATCHALL "(BR)?DA:[0-9,]+" known "${known}")
    foreach(count IN LISTS known)
        if(NOT counted MATCHES "\n${count}\n")
            message(FATAL_ERROR "${CMAKE_C_COMPILER} counts the planted program wrongly: no ${count} in\n${counted}")
        endif()
    endforeach()
    set(PRIOT_COUNTED TRUE CACHE INTERNAL "the compiler counted the planted program rightly")
endif()

add_compile_options(${flags})
add_link_options(${flags})
