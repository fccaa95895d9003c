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

# nodes DOMID KIND DEVICE BACKEND: those that all devices have.
nodes() {
	front=/local/domain/$1/device/$2/$3
	back=/local/domain/0/backend/$4/$1/$3
	xenstore-write "$front" '' "$front/backend" "$back" "$front/backend-id" 0 \
		"$front/state" 1 "$back" '' "$back/frontend" "$front" "$back/frontend-id" "$1" \
		"$back/online" 1 || return
	xenstore-chmod -r "$front" "n$1" r0 && xenstore-chmod -r "$back" n0 "r$1"
}

# The backend looks at a device when it has a state.
offer() {
	xenstore-write "$back/state" 1 && xenstore-chmod "$back/state" n0 "r$1"
}

# attach_disk DOMID DEVICE IMAGE
attach_disk() {
	nodes "$1" vbd "$2" qdisk || return
	xenstore-write "$front/virtual-device" "$2" "$front/device-type" disk \
		"$back/params" "aio:$3" "$back/dev" xvda "$back/type" qdisk \
		"$back/mode" w "$back/device-type" disk "$back/removable" 0 \
		"$back/bootable" 0 "$back/discard-enable" 1 && offer "$1"
}

# attach_folder DOMID DEVICE FOLDER BACKEND: 9pfs is QEMU's, xen_9pfs xen-9pfsd's.
# That of QEMU 7.2 can be connected once; the second time it dies of an assertion.
attach_folder() {
	nodes "$1" 9pfs "$2" "$4" || return
	xenstore-write "$front/tag" shared "$back/path" "$3" "$back/security_model" none &&
		offer "$1"
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
