#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# In the lab, whose kernel has Yama: contract tests on the machine, for a user
# whose processes may not look into each other unless they are told. As TAP.
mkdir -p /etc /tmp
chmod 1777 /tmp
printf 'nobody:x:65534:65534::/tmp:/bin/sh\n' >/etc/passwd
chmod 755 / /bin /lib /lib64 /usr /lab
chmod -R a+rX /lab /lib /usr
chmod 666 /dev/null
echo 1 >/proc/sys/kernel/yama/ptrace_scope
if [ "$(cat /proc/sys/kernel/yama/ptrace_scope)" = 1 ]; then
	echo "ok 1 - ptrace_scope is 1"
else
	echo "not ok 1 - ptrace_scope is 1"
fi
status=0
for mode in pv xlat; do
	for program in map copy notify; do
		echo "# $mode: $program"
		su nobody -c "cd /lab && ./gntdev run --mode $mode -- ./abi/$program" ||
			status=1
	done
done
exit $status
