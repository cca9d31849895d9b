# Make C arrays of all labs, and the table of them.
#   cmake -DFOLDER=lab/labs -DOUTPUT=FILE.c -P labs.cmake
file(GLOB labs ${FOLDER}/*.lab)
list(SORT labs)
set(arrays "")
set(rows "")
foreach(lab ${labs})
  get_filename_component(name ${lab} NAME_WE)
  string(MAKE_C_IDENTIFIER "lab_${name}" array)
  file(READ ${lab} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${bytes}")
  string(REGEX REPLACE "((\\\\x..){20})" "\\1\"\n    \"" bytes "${bytes}")
  string(APPEND arrays "static const char ${array}[] =\n    \"${bytes}\";\n")
  string(APPEND rows "    {\"${name}\", ${array}},\n")
endforeach()
file(WRITE ${OUTPUT} "/* Made by cmake/labs.cmake. */
#include \"lab/lab.h\"

${arrays}
const struct lab_builtin lab_builtins[] = {
${rows}    {0},
};
")
