// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * xenstored: the distribution's own, unchanged. It is started when a program
 * first asks for a xenstore, through /dev/xen/xenbus or a socket, and serves
 * domain 0 and all others as on Xen: over rings and event channels.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus.h"

/* How long it may take to come up. */
#define PATIENCE_MS 10000

static struct {
	/* One at a time makes connections. */
	pthread_mutex_t making;
	int page_fd;
	void *page;
	struct bus_user *toolstack; /* the server itself, in domain 0 */
	char path[PATH_MAX];
	/* Guards what is below; taken inside the other. */
	pthread_mutex_t lock;
	enum stage {
		NOT_THERE,
		WANTED,
		STARTED,
		UP,
		FAILED
	} stage;
	LIST_HEAD(, bus) buses;
	/* The main thread's. */
	pid_t pid;
	struct watch listener;
} store = {
	.making = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.page_fd = -1,
};

/* Domains that xenstored has been told of. */
#define LAST_DOMAIN 0x7fef
static atomic_bool known[LAST_DOMAIN + 1];

bool xenstore_knows(unsigned int domid)
{
	return domid > LAST_DOMAIN || known[domid];
}

static enum stage stage(void)
{
	enum stage now;

	pthread_mutex_lock(&store.lock);
	now = store.stage;
	pthread_mutex_unlock(&store.lock);

	return now;
}

/* From one stage to the next; not if it has failed meanwhile. */
static void enter(enum stage from, enum stage to)
{
	pthread_mutex_lock(&store.lock);
	if (store.stage == from)
		store.stage = to;
	pthread_mutex_unlock(&store.lock);
}

/* The newest that is installed. */
static bool find_program(void)
{
	static const char *const places[] = {
		"/usr/lib/xen-*/bin/xenstored",
		"/usr/lib/xen/bin/xenstored",
		"/usr/sbin/xenstored",
		"/usr/local/sbin/xenstored",
	};
	const char *chosen = getenv("GNTDEV_XENSTORED");
	glob_t found;

	if (chosen) {
		snprintf(store.path, sizeof(store.path), "%s", chosen);
		return !access(chosen, X_OK);
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (glob(places[i], 0, NULL, &found))
			continue;
		snprintf(store.path, sizeof(store.path), "%s",
			 found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
		if (!access(store.path, X_OK))
			return true;
	}

	return false;
}

static void fail(const char *format, ...)
{
	char why[512];
	va_list list;

	pthread_mutex_lock(&store.lock);
	store.stage = FAILED;
	pthread_mutex_unlock(&store.lock);

	va_start(list, format);
	vsnprintf(why, sizeof(why), format, list);
	va_end(list);
	server_log("%s", why);
	pthread_mutex_lock(&ending);
	run_tell_all(why);
	pthread_mutex_unlock(&ending);
}

/* Variables of ours that xenstored is to have or not; from @added on allocated. */
static char **make_environment(size_t *added)
{
	static const char *const ours[] = {
		"LD_PRELOAD=", ENV_MACHINE "=", ENV_DOMAIN "=",
		ENV_RUN "=",   ENV_HELPER "=",	"XENSTORED_",
	};
	const size_t count = sizeof(ours) / sizeof(*ours);
	char self[PATH_MAX], *value, **environment;
	size_t n = 0, i;
	ssize_t length;

	while (environ[n])
		n++;
	environment = must_alloc((n + count + 1) * sizeof(char *));
	n = 0;
	for (char **each = environ; *each; each++) {
		for (i = 0; i < count; i++) {
			if (!strncmp(*each, ours[i], strlen(ours[i])))
				break;
		}
		if (i == count)
			environment[n++] = *each;
	}

	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length < 0 ? 0 : length] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	*added = n;
	if (asprintf(&value, "LD_PRELOAD=%s/libgntdev-preload.so", self) > 0)
		environment[n++] = value;
	if (asprintf(&value, ENV_MACHINE "=%s", server.folder) > 0)
		environment[n++] = value;
	if (asprintf(&value, "XENSTORED_RUNDIR=%s/" XENSTORED_FOLDER,
		     server.folder) > 0)
		environment[n++] = value;
	if (asprintf(&value, "XENSTORED_ROOTDIR=%s/" XENSTORED_FOLDER,
		     server.folder) > 0)
		environment[n++] = value;
	environment[n++] = strdup(ENV_HELPER "=1");

	return environment;
}

/*
 * Ends with this thread, which is the main one. No lock may be taken in the
 * child: other threads may have held it.
 */
static pid_t spawn(char **environment)
{
	char *const arguments[] = {store.path, "-N", NULL};
	sigset_t none;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execve(store.path, arguments, environment);
	_exit(127);
}

void xenstore_spawn(void)
{
	char **environment;
	size_t added;
	pid_t pid;

	/* A thread that only drained has the main one woken afterwards. */
	if (stage() != WANTED || !watch_is_main())
		return;
	environment = make_environment(&added);
	pid = spawn(environment);
	while (environment[added])
		free(environment[added++]);
	free(environment);
	if (pid < 0) {
		fail("cannot start xenstored: fork: %s", strerror(errno));
		return;
	}

	store.pid = pid;
	/* What is to fail is the program's. */
	machine_fail_never(pid);
	enter(WANTED, STARTED);
}

static void break_all(void)
{
	struct bus *bus;

	pthread_mutex_lock(&store.lock);
	LIST_FOREACH(bus, &store.buses, entry)
	bus_break(bus);
	pthread_mutex_unlock(&store.lock);
}

static void add_bus(struct bus *bus)
{
	pthread_mutex_lock(&store.lock);
	LIST_INSERT_HEAD(&store.buses, bus, entry);
	pthread_mutex_unlock(&store.lock);
}

static struct bus *find_bus(const struct domain *domain)
{
	struct bus *bus;

	pthread_mutex_lock(&store.lock);
	LIST_FOREACH(bus, &store.buses, entry)
	{
		if (bus->domain == domain)
			break;
	}
	pthread_mutex_unlock(&store.lock);

	return bus;
}

void xenstore_reap(void)
{
	int status;

	if (!store.pid || waitpid(store.pid, &status, WNOHANG) != store.pid)
		return;
	store.pid = 0;
	if (WIFSIGNALED(status))
		fail("xenstored (%s) ended by signal %d", store.path,
		     WTERMSIG(status));
	else
		fail("xenstored (%s) ended with status %d; what it said is in %s/" LOG_FILE,
		     store.path, WEXITSTATUS(status), server.folder);
	break_all();
}

static bool is_listening(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good;

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "%s/" XENSTORED_FOLDER "/socket", server.folder);
	good = fd >= 0 &&
	       !connect(fd, (struct sockaddr *)&address, sizeof(address));
	if (fd >= 0)
		close(fd);

	return good;
}

/* The page of domain 0's rings, and its event channel. */
static int make_own_bus(void)
{
	struct domain *domain = domain_get(0);
	struct bus *bus;
	int error;

	if (!domain)
		return -ENOMEM;
	store.page_fd = memfd_create("xenstore", MFD_CLOEXEC);
	if (store.page_fd < 0 || ftruncate(store.page_fd, MACHINE_PAGE) < 0)
		return -errno;
	store.page = mmap(NULL, MACHINE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED, store.page_fd, 0);
	if (store.page == MAP_FAILED)
		return -errno;
	error = bus_make_at(domain, store.page, &bus);
	if (!error)
		add_bus(bus);

	return error;
}

/* With the lock @making; true if xenstored listens. */
static bool start(void)
{
	int error;

	if (!find_program()) {
		fail("a program asks for a xenstore, but xenstored is not installed (Debian: xen-utils-4.17; or say where it is with GNTDEV_XENSTORED)");
		return false;
	}
	error = folder_make(XENSTORED_FOLDER);
	if (!error)
		error = make_own_bus();
	if (error) {
		fail("cannot start xenstored: %s", strerror(-error));
		return false;
	}

	enter(NOT_THERE, WANTED);
	server_wake();

	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		if (stage() == FAILED)
			return false;
		if (stage() == STARTED && is_listening())
			return true;
		usleep(5000);
	}
	fail("xenstored (%s) does not listen after %d seconds", store.path,
	     PATIENCE_MS / 1000);

	return false;
}

static int write_node(const char *path, const char *value)
{
	char payload[256];
	int length = snprintf(payload, sizeof(payload), "%s", path) + 1;

	length += snprintf(payload + length, sizeof(payload) - length, "%s",
			   value);
	return bus_user_ask(store.toolstack, WIRE_WRITE, payload, length);
}

/* A node that a domain may read, or that is the domain's own. */
static int make_node(unsigned int domid, const char *name, bool own)
{
	char payload[256];
	int length, error;

	length = snprintf(payload, sizeof(payload), "/local/domain/%u%s", domid,
			  name) +
		 1;
	error = bus_user_ask(store.toolstack, WIRE_MKDIR, payload, length);
	if (own)
		length += snprintf(payload + length, sizeof(payload) - length,
				   "n%u", domid) +
			  1;
	else
		length += snprintf(payload + length, sizeof(payload) - length,
				   "n0%cr%u", 0, domid) +
			  1;
	if (!error)
		error = bus_user_ask(store.toolstack, WIRE_SET_PERMS, payload,
				     length);

	return error;
}

/* What a toolstack writes for a new domain, as far as programs ask for it. */
static int write_defaults(unsigned int domid)
{
	char path[64], value[32];
	int error;

	error = make_node(domid, "", false);
	snprintf(path, sizeof(path), "/local/domain/%u/domid", domid);
	snprintf(value, sizeof(value), "%u", domid);
	if (!error)
		error = write_node(path, value);
	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	snprintf(value, sizeof(value), "Domain-%u", domid);
	if (!error)
		error = write_node(path, value);
	if (!error)
		error = make_node(domid, "/data", true);

	return error;
}

static int introduce(struct bus *bus)
{
	char payload[64];
	int length;

	length = snprintf(payload, sizeof(payload), "%u%c%ld%c%ld",
			  domain_id(bus->domain), 0, bus->pfn, 0, bus->port);

	return bus_user_ask(store.toolstack, WIRE_INTRODUCE, payload,
			    length + 1);
}

static int bring_up(void)
{
	struct bus *bus = find_bus(domain_get(0));
	int error = bus_start(bus);

	if (error)
		return error;
	store.toolstack = bus_user_make(bus, NULL);
	error = write_defaults(0);
	if (error)
		return error;
	enter(STARTED, UP);

	return 0;
}

static int make_bus(struct domain *domain, struct bus **bus)
{
	int error = bus_make(domain, bus);

	if (error)
		return error;
	add_bus(*bus);
	error = bus_start(*bus);
	/* Permissions are taken for domains only that have been introduced. */
	if (!error)
		error = introduce(*bus);
	if (!error)
		error = write_defaults(domain_id(domain));

	return error;
}

/* The bus of a domain, made if there is none; with the lock @making. */
static int get_bus(struct domain *domain, struct bus **bus)
{
	int error;

	*bus = find_bus(domain);
	if (*bus)
		return 0;
	error = make_bus(domain, bus);
	if (error)
		fail("xenstored (%s) does not take domain %u: %s", store.path,
		     domain_id(domain), strerror(-error));
	known[domain_id(domain)] = true;

	return error ? -ENXIO : 0;
}

void xenstore_introduce(unsigned int domid)
{
	struct domain *domain = domain_get(domid);
	struct bus *bus;

	pthread_mutex_lock(&store.making);
	if (domain && stage() == UP)
		get_bus(domain, &bus);
	/* As far as it ever will. */
	known[domid] = true;
	pthread_mutex_unlock(&store.making);
}

/* With the lock @making. */
static int use(struct device *device, struct bus_user **user)
{
	struct bus *bus;
	int error;

	if (stage() == NOT_THERE) {
		if (!start())
			return -ENXIO;
		error = bring_up();
		if (error) {
			fail("xenstored (%s) does not answer: %s", store.path,
			     strerror(-error));
			return -ENXIO;
		}
		known[0] = true;
	}
	if (stage() != UP)
		return -ENXIO;

	error = get_bus(device->domain, &bus);
	if (error)
		return error;
	*user = bus_user_make(bus, device);

	return 0;
}

int xenstore_use(struct device *device, struct bus_user **user)
{
	int error;

	pthread_mutex_lock(&store.making);
	error = use(device, user);
	pthread_mutex_unlock(&store.making);

	return error;
}

int xenstore_port(void)
{
	struct bus *bus = find_bus(domain_get(0));

	return bus ? bus->port : -ENOENT;
}

int xenstore_page(void)
{
	int fd = store.page_fd < 0 ? -1
				   : fcntl(store.page_fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -ENOENT : fd;
}

/* A program has connected to the socket that it takes for xenstored's. */
static void *connection(void *arg)
{
	int fd = (intptr_t)arg;
	pid_t pid = 0;

	/* What serves it keeps the socket, or closes it. */
	if (hello_is_welcome(fd, &pid))
		device_connected(fd, pid);
	else
		close(fd);
	server_thread_done();

	return NULL;
}

static void on_listener(struct watch *watch, uint32_t events)
{
	bool refused;
	int fd = server_accept(watch, &refused);

	(void)events;
	if (refused)
		server_refused(fd);
	else if (fd >= 0 && server_thread(connection, (void *)(intptr_t)fd))
		close(fd);
}

void xenstore_start(void)
{
	LIST_INIT(&store.buses);
	store.listener.ready = on_listener;
	store.listener.fd = server_listen(XENSTORE_FILE);
	if (watch_add(&store.listener, EPOLLIN))
		server_fail("cannot wait for descriptors: %s", strerror(errno));
}

/* Nobody is there any more who could use it. */
void xenstore_stop(void)
{
	struct bus *bus;

	watch_close(&store.listener);
	if (store.pid) {
		kill(store.pid, SIGKILL);
		waitpid(store.pid, NULL, 0);
		store.pid = 0;
	}
	break_all();
	if (store.toolstack)
		bus_user_end(store.toolstack);
	while ((bus = LIST_FIRST(&store.buses))) {
		LIST_REMOVE(bus, entry);
		bus_put(bus);
	}
	if (store.page_fd >= 0) {
		munmap(store.page, MACHINE_PAGE);
		close(store.page_fd);
	}
}

void xenstore_clean(void)
{
	static const char *const files[] = {
		XENSTORE_FILE,
		XENSTORED_FOLDER "/socket",
		XENSTORED_FOLDER "/socket_ro",
		XENSTORED_FOLDER "/tdb",
		XENSTORED_FOLDER,
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		folder_remove(files[i]);
}
