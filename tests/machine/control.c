// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What programs of backends ask of libxenctrl: how ports are, which domains there
 * are, which version this is; and what only a domain with the right to it may. It
 * prints what it is answered, the same on Xen and on a machine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>
#include <xenevtchn.h>

#include <xen/domctl.h>

static xc_interface *xc;

static void port_is(const char *what, unsigned int domain, int port,
		    int expected_port)
{
	xc_evtchn_status_t status = {.dom = domain, .port = port};

	if (xc_evtchn_status(xc, &status)) {
		printf("%s: %s\n", what, strerror(errno));
		return;
	}
	if (status.status == EVTCHNSTAT_unbound)
		printf("%s: unbound, for domain %u\n", what,
		       status.u.unbound.dom);
	else if (status.status == EVTCHNSTAT_interdomain)
		printf("%s: of domain %u%s\n", what, status.u.interdomain.dom,
		       (int)status.u.interdomain.port == expected_port
			       ? ""
			       : ", of another port");
	else
		printf("%s: state %u\n", what, status.status);
}

static void ports(unsigned int own)
{
	xenevtchn_handle *events = xenevtchn_open(NULL, 0);
	int one = xenevtchn_bind_unbound_port(events, own), other;

	port_is("offered", DOMID_SELF, one, 0);
	other = xenevtchn_bind_interdomain(events, own, one);
	port_is("bound, one end", DOMID_SELF, one, other);
	port_is("bound, the other", own, other, one);
	xenevtchn_unbind(events, other);
	port_is("the other is closed", DOMID_SELF, one, 0);
	xenevtchn_unbind(events, one);
	port_is("both are", DOMID_SELF, one, 0);
	port_is("a port that cannot be", DOMID_SELF, 1 << 30, 0);
	port_is("of a domain that is not there", 12345, 1, 0);
	if (own)
		port_is("of another domain", 0, 1, 0);
	xenevtchn_close(events);
}

static void domain_is(unsigned int domain)
{
#if XEN_DOMCTL_INTERFACE_VERSION >= 0x16
	xc_domaininfo_t info;

	if (xc_domain_getinfo_single(xc, domain, &info))
		printf("domain %u: %s\n", domain, strerror(errno));
	else
		printf("domain %u is there\n", info.domain);
#else
	xc_dominfo_t info;

	errno = 0;
	if (xc_domain_getinfo(xc, domain, 1, &info) != 1)
		printf("domain %u: %s\n", domain, strerror(errno));
	else if (info.domid != domain)
		printf("domain %u: %s\n", domain, strerror(ESRCH));
	else
		printf("domain %u is there%s%s\n", info.domid,
		       info.dying ? ", dying" : "",
		       info.shutdown ? ", shut down" : "");
#endif
}

int main(int argc, char **argv)
{
	unsigned int own = argc > 1 ? atoi(argv[1]) : 0;

	xc = xc_interface_open(NULL, NULL, 0);
	if (!xc) {
		perror("xc_interface_open");
		return 1;
	}
	ports(own);
	domain_is(0);
	domain_is(12345);
	printf("version %d\n", xc_version(xc, XENVER_version, NULL) >> 16);
	if (own)
		printf("destroy: %s\n",
		       xc_domain_destroy(xc, 12345) ? strerror(errno) : "done");

	return 0;
}
