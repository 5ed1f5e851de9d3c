# Address and undefined-behaviour sanitizers. Some compilers accept the flags and detect nothing (zig is one), so the
# compiler first has to find a planted bug of each kind.
set(flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g)

foreach(bug IN ITEMS overrun overflow)
    if(NOT DEFINED PRIOT_FOUND_${bug})
        try_run(status compiled
            "${CMAKE_BINARY_DIR}/planted" "${CMAKE_CURRENT_LIST_DIR}/planted_${bug}.c"
            CMAKE_FLAGS "-DCMAKE_POSITION_INDEPENDENT_CODE=ON"
            COMPILE_DEFINITIONS ${flags}
            LINK_OPTIONS ${flags}
            COMPILE_OUTPUT_VARIABLE output
        )
        if(NOT compiled)
            message(FATAL_ERROR "${CMAKE_C_COMPILER} cannot build with sanitizers: ${output}")
        endif()
        if(status EQUAL 0)
            message(FATAL_ERROR "${CMAKE_C_COMPILER} does not find the planted ${bug}: its sanitizers detect nothing")
        endif()
        set(PRIOT_FOUND_${bug} TRUE CACHE INTERNAL "the sanitizers found the planted ${bug}")
    endif()
endforeach()

add_compile_options(${flags})
add_link_options(${flags})
