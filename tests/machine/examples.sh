# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What the manual pages show is what works.

# examples PAGE: its displays of C, one file each, as $work/example.N.c; those
# that are no whole program are made one, with the first one's headers.
examples() {
	rm -f "$work"/example.*
	awk -v to="$work/example." '
		/^\.Bd -literal/ { n++; inside = 1; next }
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\&/, ""); gsub(/\\e/, "\\"); print >(to n) }' "$top/man/$1"
	local file whole
	whole=$(grep -l '^int main' "$work"/example.* | head -n 1)
	for file in "$work"/example.*; do
		if grep -q '^int main' "$file"; then
			cp "$file" "$file.c"
		elif grep -q 'ioctl(' "$file"; then
			{
				echo '#define _GNU_SOURCE'
				sed '/^int main/,$d' "$whole"
				printf 'int main(void)\n{\n'
				cat "$file"
				printf '\treturn 0;\n}\n'
			} >"$file.c"
		fi
	done
}

# Against the header that the system has installed, and against ours.
compile() {
	local file count=0 include
	examples gntdev.4
	for file in "$work"/example.*.c; do
		for include in /usr/include "$top/include"; do
			echo "$file, $include"
			gcc -std=gnu11 -Wall -Wextra -Werror -I"$include" -o "${file%.c}.run" "$file" || return
		done
		count=$((count + 1))
	done
	is "$count" 2
}
check 'the examples of gntdev(4) compile, against the installed header too' compile

# The first maps what domain 5 grants as reference 8; its last byte ends as 0.
example_runs() {
	act granter --domain 5 -- share 0 1 && is "${line#shared }" "8 port ${line##* }" || return
	local whole
	whole=$(grep -l '^int main' "$work"/example.*[0-9] | head -n 1)
	ends 0 run --machine "$machine" --report -- "$whole.run" &&
		ask granter 'byte 0' 104 && ask granter 'byte 4095' 0 && leave granter 0
}
check 'the first of them runs, and does what is said of it' example_runs

# As gntdev(1) has it, with programs of a line each.
two_domains() {
	local keeper frontend status=0
	rm -f "$work/kept"
	"$gntdev" run --machine "$machine" -- sh -c 'touch "$1" && exec sleep 60' sh "$work/kept" &
	keeper=$!
	# A machine that the frontend alone uses ends with it.
	soon test -e "$work/kept" || return
	run --machine "$machine" --domain 1 -- xenstore-write data/ref 8 &
	frontend=$!
	is "$(run --machine "$machine" --report --wait-for xenstore:/local/domain/1/data/ref -- \
		xenstore-read /local/domain/1/data/ref)" 8 || status=$?
	wait "$frontend" || status=$?
	kill "$keeper"
	wait "$keeper"
	return $status
}
check 'two domains as gntdev(1) shows them: data is the frontend'\''s to write' two_domains

if type -P gdb >/dev/null; then
	debugged() {
		run --mode xlat -- gdb -batch -ex 'break main' -ex run -ex continue \
			--args "$programs/actor" attempts >"$work/gdb" 2>&1
		cat "$work/gdb"
		grep -q '^Breakpoint 1, main' "$work/gdb" && grep -q yyyyyyyyyy "$work/gdb"
	}
	check 'gdb on the machine stops at a breakpoint' debugged
else
	echo '# there is no gdb: it is not tried'
fi
