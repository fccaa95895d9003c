# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# What a toolstack in domain 0 does for a domain's devices: their nodes in
# xenstore, and a program that serves them. Sourced, in the lab's dom0 and by
# programs on a machine alike.

# A device of QEMU's xenpv machine for domain $1, in the background: in $qemu.
start_qemu() {
	"${QEMU:-/usr/libexec/xen-qemu-system-i386}" -M xenpv -m 32 -xen-domid "$1" -xen-attach \
		-name guest -nodefaults -no-user-config -display none -monitor none &
	# shellcheck disable=SC2034 # for whoever sources this
	qemu=$!
}

# attach DOMID KIND DEVICE BACKEND -NODE VALUE...: a device's nodes, those that all
# have and more of the backend's. All at once, in the transaction of the command, as
# a backend may look at any moment, and answers.
attach() {
	guest=$1 device=$3
	front=/local/domain/$1/device/$2/$3
	back=/local/domain/0/backend/$4/$1/$3
	shift 4
	for word; do
		shift
		case $word in
		-*) set -- "$@" "$back/${word#-}" ;;
		*) set -- "$@" "$word" ;;
		esac
	done
	xenstore-write "$front" '' "$front/backend" "$back" "$front/backend-id" 0 \
		"$front/virtual-device" "$device" "$front/device-type" disk "$front/tag" "folder$device" \
		"$front/state" 1 "$back" '' "$back/frontend" "$front" \
		"$back/frontend-id" "$guest" "$back/online" 1 "$@" "$back/state" 1 || return
	xenstore-chmod -r "$front" "n$guest" r0 && xenstore-chmod -r "$back" n0 "r$guest"
}

# attach_disk DOMID DEVICE IMAGE
attach_disk() {
	attach "$1" vbd "$2" qdisk -params "aio:$3" -dev xvda -type qdisk -mode w \
		-device-type disk -removable 0 -bootable 0 -discard-enable 1
}

# attach_folder DOMID DEVICE FOLDER BACKEND: 9pfs is QEMU's, xen_9pfs xen-9pfsd's.
# A device of both can be connected once. QEMU 7.2 should see one folder closed in its
# life: it looks for the next one's tag in a list with freed memory of the one before
# (qemu_opts_set_id() keeps the pointer that xen_9pfs_free() frees), and may die. QEMU
# 10.0 ends when it is given a folder while it runs ("Device 'xen-backend' does not
# support hotplugging"): the folder has to be there first.
attach_folder() {
	attach "$1" 9pfs "$2" "$4" -path "$3" -security_model none
}

# soon COMMAND...: it succeeds within ten seconds.
soon() {
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
		"$@" && return
		# The first ones are short, where there are such.
		{ [ "$try" -lt 11 ] && sleep 0.1 2>/dev/null; } || sleep 1
	done
	return 1
}

is_closed() {
	case $(xenstore-read "$1/state" 2>/dev/null) in
	6 | '') return 0 ;;
	*) return 1 ;;
	esac
}

is_gone() {
	! xenstore-exists "$1"
}

# detach DOMID KIND DEVICE BACKEND: has the backend let go of a device whose other
# end is gone, and takes the nodes away; 1 if it has not within ten seconds. QEMU
# takes a disk's nodes away itself, and dies if the next ones come before that.
detach() {
	front=/local/domain/$1/device/$2/$3
	back=/local/domain/0/backend/$4/$1/$3
	let_go=0
	xenstore-write "$back/online" 0 "$back/state" 5
	xenstore-rm "$front" 2>/dev/null
	# QEMU waits for a folder's other end for ever, or for its node to go.
	[ "$4" = 9pfs ] || soon is_closed "$back" || let_go=1
	[ "$4" != qdisk ] || soon is_gone "$back"
	xenstore-rm "$back" 2>/dev/null
	return $let_go
}
