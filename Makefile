# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What can be built: `make help` tells.

SHELL := /bin/bash

# The running kernel's headers. Where it is not installed, as in a chroot, the newest
# that are there, of a flavour for any machine.
MODULES := /lib/modules
RUNNING := $(MODULES)/$(shell uname -r)
KDIR ?= $(or $(if $(wildcard $(RUNNING)),$(RUNNING)/build),$(lastword $(shell \
	ls -d $(MODULES)/*/build 2>/dev/null | grep -vE -- '-(rt|cloud)-' | sort -V)))
PREFIX ?= /usr/local

.PHONY: help module module-install module-uninstall module-load deb dist clean tests header-check style \
	lab-module lab-kernel check-debug upstream machine machine-install coverage fuzz bench bench-check bench-baseline bench-machine worlds

help:
	@echo "make module [KDIR=...]   driver/xen-gntdev.ko for a kernel"
	@echo "make module-install [PREFIX=/usr/local] [DESTDIR=]"
	@echo "                         install it beside the distribution's, which it replaces"
	@echo "make module-uninstall    the distribution's is the one to be loaded again"
	@echo "make module-load         take out the module that runs, load the one installed"
	@echo "make lab-module          the modules for the lab's kernels, amd64 and arm64"
	@echo "make deb                 build/deb: the packages gntdev-dkms, gntdev and gntdev-dev"
	@echo "make dist                build/: a tarball of this version and its checksum"
	@echo "make upstream KERNEL=SRC lay the driver into a kernel's source, as patches"
	@echo "make machine             build/machine/gntdev, for gntdev run"
	@echo "make machine-install [PREFIX=/usr/local] [DESTDIR=]"
	@echo "make tests               the test programs, for amd64, arm64, i386 and armhf"
	@echo "make header-check        the public header against the system's"
	@echo "make style               checkpatch, sparse, shellcheck, formatting"
	@echo "make coverage            lines and branches of driver/ that tests reach"
	@echo "make fuzz [SECONDS=3600] sequences of everything, on the machine"
	@echo "make bench               what it costs, and the distribution's, in instructions"
	@echo "make bench-check         ours alone, against the committed numbers"
	@echo "make bench-baseline      new numbers to commit"
	@echo "make bench-machine       what the machine costs"
	@echo "make worlds              each contract test in each world that ./test ran"
	@echo "make lab-kernel          the lab's debugging kernel (20 minutes, cached)"
	@echo "make check-debug         tests/abi, stress and the clients on that kernel"
	@echo "./test                   everything; ./run shows it at work"

module:
	@release=$$(compat/check '$(KDIR)') && echo "gntdev: building for kernel $$release"
	$(MAKE) -C '$(KDIR)' M=$(CURDIR)/driver modules

# depmod prefers updates/ to the distribution's own folder. The module is not
# compressed, whatever the kernel's own are: any kernel loads it so, and there is
# one name to remove. What DESTDIR gets, depmod sees where it is unpacked.
module-install: module
	packaging/module-files install '$(KDIR)' '$(DESTDIR)'
	install -D -m 644 man/gntdev.4 $(DESTDIR)$(PREFIX)/share/man/man4/gntdev.4
	install -D -m 644 man/gntdev-reload.8 $(DESTDIR)$(PREFIX)/share/man/man8/gntdev-reload.8
	install -D packaging/gntdev-reload $(DESTDIR)$(PREFIX)/sbin/gntdev-reload

module-uninstall:
	packaging/module-files remove '$(KDIR)' '$(DESTDIR)'
	rm -f $(DESTDIR)$(PREFIX)/share/man/man4/gntdev.4 \
		$(DESTDIR)$(PREFIX)/share/man/man8/gntdev-reload.8 \
		$(DESTDIR)$(PREFIX)/sbin/gntdev-reload

module-load:
	packaging/gntdev-reload

VERSION := $(shell sed -n 's/^\#define GNTDEV_VERSION "\(.*\)"/\1/p' include/gntdev_version.h)
DIST := gntdev-$(VERSION)

# What git knows of, or, in an unpacked tarball or without git, all that nobody made;
# the same files make the same tarball.
MADE := '*.o' '*.cmd' '*.ko' '*.mod' '*.mod.c' Module.symvers modules.order
dist:
	@mkdir -p build
	{ { [ -e .git ] && git ls-files -z 2>/dev/null; } || find . \( -path ./build -o -path ./.git \) -prune -o \
		-type f $(MADE:%=! -name %) -printf '%P\0'; } | LC_ALL=C sort -z | \
		tar --null --files-from=- --transform='s,^,$(DIST)/,' --mode=go=u,go-w \
		--owner=0 --group=0 --numeric-owner --mtime="$$(sed -n '0,/^ -- /s/^ -- .*>  //p' debian/changelog)" \
		-cf - | gzip -n >build/$(DIST).tar.gz
	cd build && sha256sum $(DIST).tar.gz >$(DIST).tar.gz.sha256

deb: dist
	packaging/need deb
	rm -rf build/deb
	mkdir -p build/deb
	tar -C build/deb -xf build/$(DIST).tar.gz
	cd build/deb/$(DIST) && dpkg-buildpackage -us -uc -b
	rm -rf build/deb/$(DIST)

# As patches in build/upstream too, by who git says that you are.
upstream:
	packaging/need upstream
	upstream/lay-in '$(KERNEL)'

lab-module:
	for arch in amd64 arm64; do \
		for kernel in 6.1 6.12 7.3; do lab/module $$arch $$kernel || exit 1; done; \
	done

machine:
	$(MAKE) -f machine/build.mk

# The command finds the others beside its folder, in lib/gntdev.
machine-install: machine
	install -D build/machine/gntdev $(DESTDIR)$(PREFIX)/bin/gntdev
	install -D build/machine/gntdev-server $(DESTDIR)$(PREFIX)/lib/gntdev/gntdev-server
	install -D build/machine/gntdev-loader $(DESTDIR)$(PREFIX)/lib/gntdev/gntdev-loader
	install -D -m 644 build/machine/libgntdev-preload.so $(DESTDIR)$(PREFIX)/lib/gntdev/libgntdev-preload.so
	install -D -m 644 man/gntdev.1 $(DESTDIR)$(PREFIX)/share/man/man1/gntdev.1

# From the unit, fault and contract tests together.
coverage:
	packaging/need test
	tests/fault/coverage

fuzz:
	packaging/need test
	$(MAKE) -C tests/fuzz run SECONDS=$(or $(SECONDS),3600)

# Two boots of the lab for each architecture, of several minutes each.
bench:
	packaging/need test
	bench/lab/run
	bench/lab/plot amd64 >bench/amd64.svg
	bench/lab/plot arm64 >bench/arm64.svg

# A short boot for each, against bench/baseline-*.txt.
bench-check:
	packaging/need test
	bench/lab/check

bench-baseline:
	packaging/need test
	bench/lab/check --write

bench-machine:
	packaging/need test
	bench/machine/run pv
	bench/machine/run xlat

worlds:
	tests/abi/worlds

tests:
	for arch in amd64 arm64 i386 armhf; do $(MAKE) -C tests/abi ARCH=$$arch || exit 1; done
	for arch in amd64 arm64 i386; do $(MAKE) -C tests/stress ARCH=$$arch || exit 1; done
	for arch in amd64 arm64; do $(MAKE) -C tests/kernel ARCH=$$arch || exit 1; done
	$(MAKE) -C tests/clients

header-check:
	$(MAKE) -C tests/abi header-check

style:
	tests/suite/10-style.t

lab-kernel:
	packaging/need kernel
	lab/kernel

# KASAN, lockdep, sleep checks, kmemleak: a report of any of them is a failure.
check-debug: lab-kernel
	tests/debug

clean:
	rm -rf build
	rm -f driver/*.o driver/.*.cmd driver/*.mod driver/*.mod.c driver/*.ko \
		driver/Module.symvers driver/modules.order compat/*.o compat/.*.cmd
