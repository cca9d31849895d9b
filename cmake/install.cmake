# What `make install` puts where, and the libraries that only an installation needs: the core, the
# software machine and the heap together, once static and once shared, for programs that embed them.
# Built by the target `installed`, not by everybody who builds the command.
#
#   bin/quire   lib/libquire.{a,so}   include/quire/*.h   lib/pkgconfig/quire.pc   lib/cmake/quire/
#   share/man/man{1,5,7}   completion for bash, zsh, fish
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# soft.h is the machine's one public header; outside of this tree it is <quire/soft.h>.
set(install_headers ${CMAKE_SOURCE_DIR}/machine/soft/soft.h)
set(library_version_script ${CMAKE_SOURCE_DIR}/cmake/libquire.map)

add_library(quire_static STATIC EXCLUDE_FROM_ALL
            $<TARGET_OBJECTS:quire_core> $<TARGET_OBJECTS:quire_soft>
            $<TARGET_OBJECTS:quire_heap> $<TARGET_OBJECTS:quire_heap_host>)
if(across_rooms) # only this very compiler could read what optimising across rooms needs
  add_custom_command(TARGET quire_static POST_BUILD VERBATIM COMMAND
                     ${CMAKE_OBJCOPY} --wildcard -R .gnu.lto_* -R .gnu.debuglto_* $<TARGET_FILE:quire_static>)
endif()
# Again, as position-independent code.
add_library(quire_shared SHARED EXCLUDE_FROM_ALL ${core_sources} ${soft_sources} ${heap_sources})
target_include_directories(quire_shared PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
set_target_properties(quire_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${library_version_script})
target_link_options(quire_shared PRIVATE ${across_rooms} -Wl,--version-script=${library_version_script}
                    -Wl,-Bsymbolic-functions -Wl,--no-undefined)
target_link_libraries(quire_shared PRIVATE m Threads::Threads ${codec_libraries})

# For a static link, by name: a path of this host means nothing on another.
set(static_link m pthread)
foreach(library ${codec_libraries})
  get_filename_component(name ${library} NAME_WE)
  string(REGEX REPLACE "^lib" "" name ${name})
  list(APPEND static_link ${name})
endforeach()
target_link_libraries(quire_static INTERFACE ${static_link})
foreach(library static shared)
  set_target_properties(quire_${library} PROPERTIES OUTPUT_NAME quire)
  target_include_directories(quire_${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
set_target_properties(quire_shared PROPERTIES EXPORT_NAME quire)
set_target_properties(quire_static PROPERTIES EXPORT_NAME static)
add_custom_target(installed DEPENDS quire quire_static quire_shared)
if(TARGET quire-classic) # heap/: it says itself where it goes
  add_dependencies(installed quire-classic quire-check)
endif()

install(TARGETS quire)
install(TARGETS quire_static quire_shared EXPORT quire)
install(DIRECTORY include/quire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h PATTERN *.hpp)
install(FILES ${install_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quire)

# pkg-config: quire.pc finds itself, so that a tree can be moved.
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
list(TRANSFORM static_link PREPEND -l OUTPUT_VARIABLE pc_private)
list(JOIN pc_private " " pc_private)
configure_file(cmake/quire.pc.in ${CMAKE_BINARY_DIR}/quire.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/quire.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# find_package(quire): quire::quire is shared, quire::static is not.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/quire)
install(EXPORT quire NAMESPACE quire:: FILE quireTargets.cmake DESTINATION ${package_dir})
file(WRITE ${CMAKE_BINARY_DIR}/quireConfig.cmake
     "include(\${CMAKE_CURRENT_LIST_DIR}/quireTargets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/quireConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/quireConfig.cmake ${CMAKE_BINARY_DIR}/quireConfigVersion.cmake
        DESTINATION ${package_dir})

file(GLOB manuals CONFIGURE_DEPENDS docs/man/*.[1-8])
foreach(manual ${manuals})
  string(REGEX REPLACE ".*\\.([1-8])$" "\\1" section ${manual})
  install(FILES ${manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
set(completion ${CMAKE_SOURCE_DIR}/cli/completion)
install(FILES ${completion}/quire.bash RENAME quire
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completion}/quire.zsh RENAME _quire
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${completion}/quire.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
