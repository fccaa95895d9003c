#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
# In dom0: what xenstored and xenconsoled do for a guest that xl creates, that ends
# at once, and that xl destroys then; and how much of it in calls of the grant
# device. By the kernel's account, where a nanosecond is an instruction.
# usage: creates.sh TURNS
cd /lab || exit
turns=${1:-9}
# shellcheck source=lab/guest/xl.sh
. /lib/lab/xl.sh
export LD_PRELOAD=/lab/asked.so
start_xen_services || exit
unset LD_PRELOAD

cat >/tmp/ends.cfg <<-'EOT'
	name = "ends"
	type = "pv"
	kernel = "/lab/ends"
	memory = 32
	vcpus = 1
	on_poweroff = "destroy"
EOT

# spent PROGRAM: nanoseconds that it ran until now
spent() {
	read -r ns rest <"/proc/$(cat "/run/xen/$1.pid")/schedstat"
	echo "$ns"
}

# line NAME: of samples, a line each, the median and by how many per cent of it the
# quartiles differ
line() {
	sort -n | awk -v name="$1" '
		{ v[NR - 1] = $1 }
		END {
			m = v[int(NR / 2)]
			printf "%s\t1\t%d\t%.2f\n", name, m, \
				m ? 100 * (v[int(3 * NR / 4)] - v[int(NR / 4)]) / m : 0
		}'
}

# one: xl waits for the guest's end, and destroys it.
one() {
	xl create -F -q /tmp/ends.cfg >/tmp/xl.out 2>&1 || {
		cat /tmp/xl.out >&2
		exit 1
	}
}

one
one
i=0
while [ $i -lt "$turns" ]; do
	stored=$(spent xenstored) consoled=$(spent xenconsoled)
	one
	echo $(($(spent xenstored) - stored)) >>/tmp/xenstored
	echo $(($(spent xenconsoled) - consoled)) >>/tmp/xenconsoled
	i=$((i + 1))
done
for program in xenstored xenconsoled; do
	./served --asked on $program
done
one
for program in xenstored xenconsoled; do
	line "$program-create" </tmp/$program
	./served --told $program | awk -v program=$program '
		{ sum += $3 * $4; calls += $3 }
		END {
			printf "device:%s-create\t1\t%d\t0.00\n", program, sum
			printf "calls:%s-create\t1\t%d\t0.00\n", program, calls
		}'
done
