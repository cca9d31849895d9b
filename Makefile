# A thin front for CMake: what people type. The builds lie in build/PRESET, the command is build/quire.
#
#   make            build it                    make run        show it on a real program
#   make test       every test                  make bench      speed, measured beside native
#   make install    PREFIX=/usr/local           make clean
#   make deb        Debian packages, in build/deb
#   make check-asan, check-tsan, check-debug    the tests in other builds (CMakePresets.json)
#   make check-valgrind                         unit tests and a short simulation under valgrind
#   make soak       simulate until HOURS=1 are over or STEPS=N done, with seeds never tried before
#   make coverage   what the tests run through  make mutants    what they would notice
PREFIX ?= /usr/local
PRESET ?= release
# Optional; the tests that need a thing that is missing say so and are counted as skipped.
CTEST_FLAGS ?= --output-on-failure

.PHONY: all quire run test check-valgrind soak bench coverage mutants install deb clean
.PRECIOUS: build/%/build.ninja

all: quire

quire: build/release/build.ninja
	@cmake --build --preset release --target quire
	@ln -sf release/quire build/quire

build/%/build.ninja: CMakeLists.txt CMakePresets.json
	@tools/need.sh build
	@mkdir -p build
	@cmake --preset $* >build/$*.log 2>&1 || { cat build/$*.log; exit 1; }

run:
	@tools/need.sh build run
	@$(MAKE) --no-print-directory quire
	@tools/demo.sh "$(CURDIR)/build/quire"

test:
	@tools/need.sh build test
	@$(MAKE) --no-print-directory quire build/$(PRESET)/build.ninja
	@cmake --preset $(PRESET) >build/$(PRESET).log 2>&1 || { cat build/$(PRESET).log; exit 1; }
	@cmake --build --preset $(PRESET)
	@ctest --preset $(PRESET) $(CTEST_FLAGS)

# A seed is a million worlds away from those of the second before, so no two runs see the same world.
HOURS ?= 1
JOBS ?= 2
SEED ?= $(shell date +%s)000000
soak: build/release/build.ninja
	@cmake --build --preset release --target sim
	@build/release/tests/sim/sim --audit-every 0 --jobs $(JOBS) --seed $(SEED) \
	    $(if $(STEPS),--steps $(STEPS),--hours $(HOURS))

check-%:
	@$(MAKE) --no-print-directory test PRESET=$*

check-valgrind: build/release/build.ninja
	@tools/need.sh build test
	@cmake --build --preset release
	@tools/valgrind.sh build/release

build-%: build/%/build.ninja
	@cmake --build --preset $*

bench:
	@tools/need.sh build bench
	@$(MAKE) --no-print-directory quire
	@bench/run.sh build/release

coverage:
	@tools/need.sh build test coverage
	@tools/coverage.sh

mutants:
	@tools/need.sh build test
	@tools/mutate.py

install: quire
	@cmake --build --preset release
	@cmake --build --preset release --target installed
	@cmake --install build/release --prefix $(PREFIX)

deb:
	@tools/need.sh build deb
	@tools/deb.sh

clean:
	rm -rf build
