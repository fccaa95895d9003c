// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Failures on purpose by text, as --fail has them. */
#include <stdlib.h>

#include "calls.h"
#include "faults.h"
#include "files.h"
#include "../xen/xen.h"

/* What an operation may answer. */
#define FIRST_STATUS GNTST_general_error
#define LAST_STATUS GNTST_no_space

/* Digits and nothing else before them: no sign, no space, no overflow. */
static bool parse_number(const char *text, char **end, u64 *number)
{
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, end, 10);

	return !errno;
}

/* OP:N=STATUS; false if it is not well-formed. */
static bool add_op_rule(struct fault_spec *spec, int op, const char *text)
{
	struct op_rule rule = {.op = op};
	u64 status;
	char *end;

	if (!parse_number(text, &end, &rule.nth) || !rule.nth ||
	    strncmp(end, "=-", 2) || !parse_number(end + 2, &end, &status) ||
	    *end || status < -FIRST_STATUS || status > -LAST_STATUS ||
	    spec->nop_rules == MAX_RULES)
		return false;
	rule.status = -(s16)status;
	spec->op_rules[spec->nop_rules++] = rule;

	return true;
}

/* A probability that is more than nothing, in percent. */
static bool parse_percent(const char *text, struct rule *rule)
{
	double percent;
	char *end;

	if (strspn(text, "0123456789.") != strlen(text))
		return false;
	percent = strtod(text, &end);
	if (end == text || *end || !(percent <= 100))
		return false;
	rule->of_million = percent * 10000;

	return rule->of_million;
}

/* SITE:N, SITE:N+ or SITE%P. */
static bool add_rule(struct fault_spec *spec, int site, char kind,
		     const char *text)
{
	struct rule rule = {.site = site};
	char *end;

	if (kind == '%') {
		if (!parse_percent(text, &rule))
			return false;
	} else {
		if (!parse_number(text, &end, &rule.nth) || !rule.nth)
			return false;
		rule.persistent = *end == '+';
		if (end[rule.persistent])
			return false;
	}
	if (spec->nrules == MAX_RULES)
		return false;
	spec->rules[spec->nrules++] = rule;

	return true;
}

static bool add_part(struct fault_spec *spec, const char *part)
{
	size_t len = strcspn(part, ":%");
	char kind = part[len], *end;
	int op = fault_op_by_name(part, len);
	int site = fault_site_by_name(part, len);

	if (!strncmp(part, "seed=", 5)) {
		spec->seeded = true;
		return parse_number(part + 5, &end, &spec->seed) && !*end;
	}
	if (!kind)
		return false;
	if (op >= 0 && kind == ':')
		return add_op_rule(spec, op, part + len + 1);
	return site >= 0 && add_rule(spec, site, kind, part + len + 1);
}

/* What can never come, although it is well-formed; or NULL. */
static const char *never_comes(const char *part)
{
	size_t len = strcspn(part, ":%");
	int op = fault_op_by_name(part, len),
	    site = fault_site_by_name(part, len);

	if (op == MACHINE_OP_UMAP && machine_mode() == MACHINE_XLAT)
		return "an auto-translated machine maps nothing into programs' entries";
	if (machine_driver.loaded &&
	    (site == SITE_MISC_REGISTER || site == SITE_DEVICE ||
	     site == SITE_DMA_MASK || site == SITE_PLATFORM_DRIVER ||
	     site == SITE_PLATFORM_DEVICE))
		return "the driver calls it when it is loaded, which it is";

	return NULL;
}

static void explain(const char *part, char *why, size_t size)
{
	const char *never = never_comes(part);
	size_t len = strcspn(part, ":%=");
	int i, at;

	if (never) {
		snprintf(why, size, "'%s' would never come: %s", part, never);
		return;
	}
	if (!strncmp(part, "seed=", 5) || fault_site_by_name(part, len) >= 0 ||
	    fault_op_by_name(part, len) >= 0 || !len) {
		snprintf(why, size,
			 "'%s' is no failure: expected OP:N=STATUS (OP is map, kmap, umap, unmap or copy; STATUS %d to %d), SITE:N, SITE:N+, SITE%%PERCENT (SITE as kvmalloc, alloc or any; at least 0.0001) or seed=N beside such a percentage, at most %d of a kind in all",
			 part, FIRST_STATUS, LAST_STATUS, MAX_RULES);
		return;
	}
	at = snprintf(
		why, size,
		"'%s' is no failure: there is no call %.*s; those that can fail are alloc, any",
		part, (int)len, part);
	for (i = 0; i < SITES && at < (int)size; i++)
		at += snprintf(why + at, size - at, ", %s", fault_site_name(i));
}

/* Whether a seed has a probability to be of. */
static bool draws(const struct fault_spec *spec)
{
	unsigned int i;

	for (i = 0; i < spec->nrules; i++) {
		if (!spec->rules[i].nth)
			return true;
	}

	return false;
}

int machine_fail_spec(const char *text, char *why, size_t size)
{
	struct fault_spec spec = {0};
	char part[128];
	size_t len;

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		snprintf(part, sizeof(part), "%.*s", (int)len, text);
		if (len >= sizeof(part) || !add_part(&spec, part) ||
		    never_comes(part)) {
			explain(part, why, size);
			return -EINVAL;
		}
		if (!text[len])
			break;
	}
	if (spec.seeded && !draws(&spec)) {
		snprintf(why, size,
			 "seed=%llu is of no probability: expected SITE%%PERCENT beside it",
			 (unsigned long long)spec.seed);
		return -EINVAL;
	}
	if (!faults_add(&spec)) {
		snprintf(why, size,
			 "so many failures cannot be asked for: the machine takes %d of a kind in all",
			 MAX_RULES);
		return -EINVAL;
	}

	return 0;
}
