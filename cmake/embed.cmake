# Make a C array of a file's bytes, with a zero byte at the end.
#   cmake -DINPUT=FILE -DOUTPUT=FILE.c -DNAME=array -P embed.cmake
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${bytes}")
string(REGEX REPLACE "((0x.., ){16})" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Made by cmake/embed.cmake. */
extern const char ${NAME}[];
const char ${NAME}[] = {
    ${bytes}0x00,
};
")
