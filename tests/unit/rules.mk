# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Test programs on the machine as a library. Given: TOP, O, PROGRAMS, and
# SOURCES_program for those of more than one file. MACHINE_O: where the library
# is built, for those who share one.

ifeq ($(origin CC),default)
CC := gcc
endif
OPT ?= -O2
SAN ?=
COVERAGE ?=
MACHINE_O ?= $(O)/machine

CFLAGS += -I$(TOP)/machine/kernel -std=gnu11 $(OPT) -g -pthread -Wall -Wextra \
	-Werror -Wno-unused-parameter
LDFLAGS += -pthread
ifneq ($(SAN),)
CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif
ifneq ($(COVERAGE),)
LDFLAGS += --coverage
endif

SHARED := $(addprefix $(TOP)/tests/unit/,tap.c world.c buffers.c areas.c)
HEADERS := $(wildcard $(TOP)/tests/unit/*.h $(CURDIR)/*.h $(TOP)/machine/*.h)

.PHONY: all check list machine
all: $(PROGRAMS:%=$(O)/%)

list:
	@echo $(PROGRAMS)

check: all
	prove $(addprefix $(O)/,$(PROGRAMS))

machine:
	@$(MAKE) --no-print-directory -C $(TOP)/machine O=$(MACHINE_O) \
		CC='$(CC)' OPT='$(OPT)' SAN='$(SAN)' COVERAGE='$(COVERAGE)' \
		$(if $(DRIVER_DIR),DRIVER_DIR='$(DRIVER_DIR)')

$(MACHINE_O)/libmachine.a: machine ;

.SECONDEXPANSION:
$(O)/%: $(CURDIR)/%.c $$(addprefix $(TOP)/,$$(SOURCES_%)) $(SHARED) $(HEADERS) \
		$(MACHINE_O)/libmachine.a
	@mkdir -p $(O)
	@echo '  LD $(notdir $@)'
	@$(CC) $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LDFLAGS)
