// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who has a range in memory, told when it is not as free as it should be. A
 * child that should be gone shows here; what no process has and the driver
 * still takes for mapped is the driver's.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "stress.h"

static void show_mappings(const char *pid, const char *offset)
{
	char path[64], line[256];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%.16s/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "gntdev") || !strstr(line, offset))
			continue;
		line[strcspn(line, "\n")] = '\0';
		say("#   process %s: %s", pid, line);
	}
	if (maps)
		fclose(maps);
}

void show_holders(u64 index)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char offset[32];

	snprintf(offset, sizeof(offset), " %08llx ", (unsigned long long)index);
	say("# in memory with index 0x%llx, of any instance:",
	    (unsigned long long)index);
	while (proc && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			show_mappings(entry->d_name, offset);
	}
	if (proc)
		closedir(proc);
}
