# Toolchain file for Debian's gcc-arm-none-eabi, or any other on the PATH: cmake --toolchain arm-none-eabi.cmake ...
# It says nothing of the core: firmware does (board.cmake); for the checker alone give -DCMAKE_C_FLAGS="-mcpu=... -mthumb".
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # a program cannot be linked before a board is named
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
