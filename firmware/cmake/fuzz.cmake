# libFuzzer. As with the sanitizers, the compiler first has to find a planted bug: one that only a fuzzer whose search is
# led by coverage comes upon in so few tries.
set(PRIOT_FUZZ_INSTRUMENT -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping)
set(PRIOT_FUZZ_LINK -fsanitize=fuzzer -fprofile-instr-generate)

if(NOT DEFINED PRIOT_FOUND_word)
    try_run(status compiled
        "${CMAKE_BINARY_DIR}/planted" "${PROJECT_SOURCE_DIR}/cmake/planted_word.c"
        COMPILE_DEFINITIONS -fsanitize=fuzzer-no-link
        LINK_OPTIONS -fsanitize=fuzzer
        COMPILE_OUTPUT_VARIABLE output
        RUN_OUTPUT_VARIABLE said
        WORKING_DIRECTORY "${CMAKE_BINARY_DIR}"
        ARGS -seed=1 -runs=200000 -max_len=8 -artifact_prefix=planted/
    )
    if(NOT compiled)
        message(FATAL_ERROR "${CMAKE_C_COMPILER} cannot link libFuzzer: ${output}")
    endif()
    if(status EQUAL 0)
        message(FATAL_ERROR "${CMAKE_C_COMPILER} does not find the planted word: its fuzzer is not led by coverage")
    endif()
    set(PRIOT_FOUND_word TRUE CACHE INTERNAL "the fuzzer found the planted word")
endif()
