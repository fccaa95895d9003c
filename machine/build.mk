# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# gntdev run and what it needs: the command, the server, the library that
# programs are given. make -f machine/build.mk [O=folder] [SAN=address,...]
# SAN is for the server: what it runs is the driver and the machine. So is
# COVERAGE, for a LIBMACHINE that was built with it.
TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)
O ?= $(TOP)/build/machine
SAN ?=
COVERAGE ?=
LIBMACHINE ?= $(O)/libmachine.a

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
WARNINGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -pthread
SANITIZERS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)

# The machine is many small functions in many files; as one it is faster.
ifeq ($(SAN)$(COVERAGE)$(findstring clang,$(CC)),)
LTO := -flto=auto -ffat-lto-objects
endif

SERVER := $(patsubst $(TOP)/%.c,$(O)/obj/%.o,$(wildcard $(TOP)/machine/server/*.c))
CLIENT := $(patsubst $(TOP)/%.c,$(O)/obj/%.o,$(wildcard $(TOP)/machine/client/*.c))
TOOL := $(patsubst $(TOP)/%.c,$(O)/obj/%.o,$(wildcard $(TOP)/tool/*.c))
PROGRAM := $(O)/obj/machine/program.o
TRUST := $(O)/obj/machine/trust.o

# The loader has no C library, and of the client's files those that are not about
# what such a library calls.
LOADER_CLIENT := $(filter-out %/calls.c %/exec.c %/listings.c %/next.c \
	%/nofault.c %/numbers.c %/paths.c %/place.c %/process.c,$(wildcard $(TOP)/machine/client/*.c))
LOADER := $(patsubst $(TOP)/%.c,$(O)/loader/%.o,$(LOADER_CLIENT) \
	$(wildcard $(TOP)/machine/loader/*.c))
# Whatever the packager's flags are: no register and no symbol of a C library.
LOADER_FLAGS := -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-stack-clash-protection -fno-builtin \
	-fno-asynchronous-unwind-tables -ffunction-sections -fno-lto \
	-fno-sanitize=all -U_FORTIFY_SOURCE
ifneq ($(findstring aarch64,$(shell $(CC) -dumpmachine)),)
LOADER_FLAGS += -mno-outline-atomics
else
LOADER_FLAGS += -fcf-protection=none
endif
# Or memcpy() would call itself.
ifeq ($(findstring clang,$(CC)),)
LOADER_FLAGS += -fno-tree-loop-distribute-patterns
endif

.PHONY: all
all: $(O)/gntdev $(O)/gntdev-server $(O)/libgntdev-preload.so $(O)/gntdev-loader

$(O)/gntdev: $(TOOL) $(PROGRAM) $(TRUST)
	@$(CC) $(CFLAGS) -o $@ $^

$(O)/gntdev-server: $(SERVER) $(TRUST) $(LIBMACHINE)
	@$(CC) $(CFLAGS) $(LTO) $(SANITIZERS) $(if $(COVERAGE),--coverage) -pthread -o $@ $^

# Linked against nothing but the C library, and no name of it shows.
$(O)/libgntdev-preload.so: $(CLIENT) $(PROGRAM)
	@$(CC) $(CFLAGS) -shared -pthread -Wl,-z,now -Wl,--no-undefined -o $@ $^ -ldl

$(O)/gntdev-loader: $(LOADER) $(TOP)/machine/loader/loader.ld
	@$(CC) -nostdlib -static -Wl,-T,$(TOP)/machine/loader/loader.ld \
		-Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -o $@ $(LOADER)

$(O)/loader/%.o: $(TOP)/%.c $(O)/obj/flags
	@mkdir -p $(@D)
	@echo '  CC $(<:$(TOP)/%=%) (loader)'
	@$(CC) $(WARNINGS) $(CFLAGS) $(LOADER_FLAGS) -MMD -MP -c -o $@ $<

$(SERVER): EXTRA := $(LTO) $(SANITIZERS)
$(CLIENT) $(PROGRAM): EXTRA := -fPIC -fvisibility=hidden

# Other flags, other objects.
FLAGS := $(CC) $(CFLAGS) $(LTO) $(SANITIZERS)
$(shell mkdir -p $(O)/obj && { echo '$(FLAGS)' | cmp -s - $(O)/obj/flags || \
	echo '$(FLAGS)' > $(O)/obj/flags; })

$(O)/obj/%.o: $(TOP)/%.c $(O)/obj/flags
	@mkdir -p $(@D)
	@echo '  CC $(<:$(TOP)/%=%)'
	@$(CC) $(WARNINGS) $(CFLAGS) $(EXTRA) -MMD -MP -c -o $@ $<

$(O)/libmachine.a: FORCE
	@$(MAKE) -s -C $(TOP)/machine O=$(O) SAN=$(SAN) \
		$(if $(LTO),OPT='-O2 $(LTO)' AR=gcc-ar)

.PHONY: FORCE
FORCE:

-include $(wildcard $(O)/obj/*/*.d $(O)/obj/machine/*/*.d $(O)/loader/machine/*/*.d)
