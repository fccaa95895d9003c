# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # lab/run's variables
# The machine's display: a graphics card, and who keeps what it shows. A program
# in dom0 names a file on a port of its own and is answered when that is there.

check_display() {
	[ "$arch" = amd64 ] || unready "--display: only on amd64"
	[ "$kernel" != debug ] ||
		unready "--display: the debugging kernel has no driver of its graphics card"
	mkdir -p "$display" 2>/dev/null && [ -w "$display" ] ||
		unready "--display $display: cannot write to that folder"
}

# Each pipe is two for QEMU, seen from itself: what comes in, what goes out.
prepare_display() {
	mkfifo "$RUN"/{monitor,screen}.{in,out}
}

# Adds to the array qemu. The card is one whose driver imports a dma-buf of
# anybody's and shows it: see lab/README.md.
display_devices() {
	qemu+=(-device "cirrus-vga,id=display"
		-chardev "pipe,id=monitor,path=$RUN/monitor"
		-mon "chardev=monitor,mode=control"
		-chardev "pipe,id=screen,path=$RUN/screen"
		-device "virtserialport,chardev=screen,name=lab.screen")
}

# ask_monitor COMMAND: QEMU's answer, which is one line among those that tell
# of events.
ask_monitor() {
	local line
	printf '%s\n' "$1" >&5
	while IFS= read -r line <&6; do
		case $line in
		'{"return"'*) return 0 ;;
		'{"error"'*)
			line=${line#*\"desc\": \"}
			printf '%s\n' "${line%%\"*}"
			return 1
			;;
		esac
	done
	echo "the machine is gone"
	return 1
}

# take_screendump NAME: the answer to who asked for it.
take_screendump() {
	local name=$1 new=$RUN/screendump request why
	request="\"device\":\"display\",\"filename\":\"$new\",\"format\":\"${name##*.}\""
	if ! [[ $name =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*\.(ppm|png)$ ]]; then
		echo "error '$name': expected a name that ends in .ppm or .png"
	elif ! why=$(ask_monitor "{\"execute\":\"screendump\",\"arguments\":{$request}}"); then
		echo "error $name: QEMU: $why"
	elif ! mv "$new" "$display/$name"; then
		echo "error $name: cannot be kept in $display"
	else
		echo "ok"
	fi
}

# Ends with the machine, whose ends of the pipes nobody else holds.
serve_display() {
	local name
	trap - EXIT
	exec 5>"$RUN/monitor.in" 6<"$RUN/monitor.out"
	exec 7>"$RUN/screen.in" 8<"$RUN/screen.out"
	ask_monitor '{"execute":"qmp_capabilities"}' || return
	while IFS= read -r name <&8; do
		take_screendump "$name" >&7
	done
}
