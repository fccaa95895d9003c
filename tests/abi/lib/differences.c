// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where the distribution's driver is known to differ, and the rule that stands
 * behind the tests: a sentence of the public header or of the contract, or a
 * row of the list of defects; COVERAGE.md has all three. And where the machine,
 * on which the driver is ours, cannot be what a kernel is, and why. Those of
 * dma-bufs are in a file of their own.
 */
#include <stddef.h>
#include <string.h>

#include "tap.h"
#include "world.h"

static const struct difference_group groups[] = {
	/* The machine. */
	{
		ON_MACHINE,
		"machine: which pages the real kernel holds is not known, so "
		"they are given back at munmap (tests/unit holds pages)",
		{
			"munmap_returns_at_once_and_the_grant_follows_later",
			"removal_succeeds_at_once_while_pages_are_held",
			"close_returns_at_once_while_pages_are_held",
			"pages_that_nobody_holds_are_given_back_before",
			"every_held_page_comes_back_in_any_order",
			"page_held_twice_waits_for_the_last",
			"held_page_outlives_the_exit_of_its_process",
			"held_page_outlives_the_kill_of_its_process",
			"slot_is_free_at_once_while_its_page_is_in_use",
			"byte_of_a_held_page_is_cleared_when_it_is_let_go",
			"munmap_of_a_buffer_returns_at_once_and_its_grants_follow_later",
		},
	},
	{
		ON_MACHINE,
		"machine: its kernel is a process that no module is taken out "
		"of (tests/unit and tests/fault load and unload)",
		{
			"module_with_an_open_device_stays",
			"module_with_a_mapping_stays",
			"module_is_taken_out_and_put_in_again",
			"module_with_pages_that_are_held_stays",
			"module_is_taken_out_as_soon_as_it_can_be",
			"module_with_a_live_buffer_stays",
			"module_stays_while_the_other_side_has_imports_mapped",
			"buffer_lives_until_its_last_attachment",
		},
	},
	{
		ON_MACHINE,
		"machine: no other module is put into its kernel (tests/unit "
		"shows buffers to devices and to the kernel)",
		{
			"drivers_see_a_buffer_as_one_area_and_its_addresses",
			"drivers_see_a_write_combining_buffer",
			"drivers_see_a_coherent_buffer",
			"area_that_drivers_saw_may_be_used_again",
			"drivers_see_a_buffer_that_programs_have_mapped_as_often_as_they_may",
			"processors_see_a_buffer_write_back",
			"processors_see_a_write_combining_buffer_write_back",
			"processors_see_a_coherent_buffer_write_back",
			"what_the_granter_wrote_survives_a_device_that_sees_copies",
			"syncs_go_the_way_that_the_caller_names",
		},
	},
	{
		ON_MACHINE,
		"machine: a domain has 64 MiB and 32,768 references (tests/fault "
		"grants the largest buffer)",
		{
			"largest_buffer_is_granted_until_there_are_no_references",
		},
	},
	{
		ON_MACHINE,
		"machine: a program sees what another one has put into its area "
		"when it makes a request for it itself",
		{
			"slot_is_filled_by_another_process",
		},
	},

	/* Areas. */
	{
		DIFFERS,
		"gntdev_more.h: requests that no other driver of the device has",
		{
			"slots_show_unrelated_grants_until_they_are_emptied",
			"empty_slot_is_sigbus",
			"areas_of_no_sensible_size_are_refused",
			"each_operation_of_an_area_has_a_status",
			"slot_in_use_is_eexist_and_done_tells",
			"bad_operations_of_an_area_are_einval_and_done_tells",
			"area_must_be_mmapped",
			"unmapping_an_empty_slot_is_okay",
			"more_slots_than_a_hypercall_takes",
			"slots_are_used_again_and_again",
			"readonly_slot_cannot_be_written",
			"readonly_grant_needs_a_readonly_slot",
			"readonly_area_takes_readonly_grants_alone",
			"restricted_instance_fills_slots_with_that_domains_grants_alone",
			"area_counts_and_is_found_as_a_range_is",
			"operations_that_cannot_be_read_are_efault",
			"byte_of_a_slot_is_cleared_when_it_is_emptied",
			"byte_of_a_slot_is_cleared_at_munmap",
			"event_of_a_slot_comes_after_its_unmapping",
		},
	},
	{
		DIFFERS,
		"gntdev_more.h: requests that no other driver of the device has",
		{
			"slots_live_through_mprotect_and_madvise",
			"slot_filled_under_another_protection_has_that",
			"slots_are_filled_after_page_tables_have_gone",
			"slot_is_free_at_once_while_its_page_is_in_use",
			"slot_that_was_written_out_is_unmapped_at_once",
			"slot_is_filled_by_another_process",
			"fork_leaves_the_area_to_its_maker",
			"area_of_a_killed_process_is_not_mmapped_any_more",
			"slots_stay_filled_after_close",
			"threads_fill_and_empty_slots_of_one_area",
			"threads_beside_mprotect_and_madvise",
			"threads_beside_faults_and_populating",
			"slots_that_threads_empty_together_are_free_for_each",
			"slots_in_several_page_tables_are_emptied_beside_mremap",
			"munmap_beside_threads_that_fill_slots",
			"area_ends_beside_another_process_that_fills_it",
		},
	},

	{
		ON_MACHINE,
		"machine: a debugger asks the real kernel, which has nothing "
		"where a program has no access (tests/fault looks)",
		{
			"protected_mapping_stays_unreadable_for_a_debugger",
			"mapping_made_without_access_stays_unreadable_for_a_debugger",
		},
	},
	{
		ON_MACHINE,
		"machine: no hypercall takes all handles (tests/fault has few)",
		{
			"mapping_survives_mprotect_without_handles",
			"mapping_survives_while_another_takes_each_free_handle",
			"byte_is_cleared_without_handles",
		},
	},

	/* Handles, debuggers, and what the log says. */
	{
		DIFFERS_PV | TAKES_DOWN,
		"row 65: a mapping that was made never depends on one more handle "
		"(there a program dies with all of them, and none is left)",
		{
			"mapping_survives_mprotect_without_handles",
			"mapping_survives_while_another_takes_each_free_handle",
			"byte_is_cleared_without_handles",
		},
	},
	{
		DIFFERS,
		"contract: handles are everybody's, an instance has a share",
		{
			"instance_has_no_more_than_its_share_of_handles",
			"share_of_handles_is_a_parameter_of_the_module",
		},
	},
	{
		DIFFERS,
		"man page: a grant that cannot be mapped is told in the log",
		{
			"mapping_that_fails_is_told_in_the_kernels_log",
		},
	},
	{
		DIFFERS_PV,
		"row 17: what cannot be honoured is refused, data stays whole",
		{
			"protected_mapping_stays_unreadable_for_a_debugger",
			"mapping_made_without_access_stays_unreadable_for_a_debugger",
		},
	},
	{
		DIFFERS | SOMETIMES,
		"row 68: a byte is cleared when no program can store any more",
		{
			"byte_stays_cleared_though_a_thread_stores_until_munmap",
		},
	},
	{
		DIFFERS,
		"watched: fdinfo names domain and reference (the distribution's "
		"driver adds no lines)",
		{
			"fdinfo_names_each_ranges_domain_and_reference",
			"fdinfo_stays_short",
		},
	},

	/* Grave ones: not run there unless by name. */
	{
		DIFFERS_PV | TAKES_DOWN,
		"contract: in a PV domain a child does not inherit a mapping",
		{
			"dup_and_close_beside_forks_remove_nothing",
		},
	},
	{
		DIFFERS,
		"row 9a: no user memory is touched under a lock that mmap takes; "
		"there two threads of a program hang until they are killed",
		{
			"map_from_an_absent_page_against_mmap",
		},
	},
	{
		DIFFERS | TAKES_DOWN,
		"row 19: a byte is never cleared in a page mapped read-only",
		{
			"range_with_a_byte_to_clear_cannot_be_mapped_read_only",
			"read_only_grant_with_a_byte_to_clear_cannot_be_mapped",
		},
	},
	{
		DIFFERS | TAKES_DOWN,
		"row 31: only mapped pages are written",
		{
			"page_of_a_failed_mmap_is_not_written",
		},
	},
	{
		DIFFERS_PV | TAKES_DOWN,
		"row 22: the page waits for its last user",
		{
			"what_waits_costs_by_the_pages_that_are_held",
			"munmap_returns_at_once_and_the_grant_follows_later",
			"removal_succeeds_at_once_while_pages_are_held",
			"close_returns_at_once_while_pages_are_held",
			"held_page_is_still_the_granters",
			"pages_that_nobody_holds_are_given_back_before",
			"every_held_page_comes_back_in_any_order",
			"many_ranges_with_held_pages_come_back",
			"range_with_held_pages_may_be_mapped_again",
			"grant_is_back_soon_after_its_last_user",
			"page_held_twice_waits_for_the_last",
			"held_page_outlives_the_exit_of_its_process",
			"held_page_outlives_the_kill_of_its_process",
			"event_waits_for_the_held_page",
			"byte_of_a_held_page_is_cleared_when_it_is_let_go",
			"disk_reads_into_pages_that_are_being_unmapped",
		},
	},
	{
		DIFFERS | TAKES_DOWN,
		"row 29: the module stays while pages are held",
		{
			"module_with_pages_that_are_held_stays",
			"module_is_taken_out_as_soon_as_it_can_be",
		},
	},
	{
		DIFFERS_PV | TAKES_DOWN,
		"row 17: what cannot be honoured is refused, data stays whole",
		{
			"mapping_that_a_child_shares_is_unmapped_with_the_last",
			"kernel_reads_a_mapping_whose_entries_come_and_go",
		},
	},
	{
		DIFFERS | TAKES_DOWN,
		"row 60: a huge limit is clamped",
		{
			"huge_limit_does_no_harm",
		},
	},

	/* The table. */
	{
		DIFFERS,
		"header: SET_MAX_GRANTS sets the maximum number of grants",
		{
			"every_request_is_served",
			"maximum_of_zero_is_einval",
			"any_other_maximum_is_taken",
			"unreadable_maximum_is_efault",
			"map_of_more_than_the_maximum_is_einval",
			"map_beyond_the_maximum_with_what_is_there_is_enomem",
			"removal_makes_room_under_the_maximum",
			"mapped_and_unmapped_ranges_count_alike",
			"later_maximum_governs_from_then_on",
			"maximum_below_what_is_there_takes_nothing_away",
			"maximum_is_the_instances_own",
			"maximum_from_an_absent_page_against_mmap",
			"failed_copy_out_does_not_count_towards_the_maximum",
		},
	},
	{
		DIFFERS,
		"row 3: a domid is never truncated",
		{
			"refused_map_leaves_the_first_index_zero",
			"domid_above_16_bits_is_einval",
			"domid_of_a_later_grant_is_checked_too",
		},
	},
	{
		DIFFERS,
		"contract: an instance never gives an index twice",
		{
			"stale_index_hits_no_later_range",
			"index_is_never_given_twice",
			"indexes_go_on_beyond_4_gib",
		},
	},
	{
		DIFFERS,
		"row 1: all 64 bits of an index count",
		{
			"index_that_differs_in_high_bits_is_another",
			"mmap_offset_that_differs_in_high_bits_is_another",
			"unmap_with_another_index_is_enoent",
		},
	},
	{
		DIFFERS_AUTO,
		"header: munmap must be called first, or an error will result",
		{
			"mapping_that_a_child_shares_is_unmapped_with_the_last",
		},
	},
	{
		DIFFERS,
		"header: munmap must be called first, or an error will result",
		{
			"unmap_while_mapped_is_busy",
			"child_uses_its_parents_instance",
		},
	},
	{
		DIFFERS,
		"row 4: count 0 matches nothing",
		{
			"unmap_with_count_zero_is_enoent",
		},
	},
	{
		DIFFERS,
		"header: the address must be the start of the range",
		{
			"offset_of_an_address_inside_is_einval",
		},
	},
	{
		DIFFERS,
		"row 6: the mapping of this instance at this address",
		{
			"offset_of_an_address_in_the_hole_below_is_einval",
			"offset_of_another_instances_mapping_is_einval",
		},
	},

	/* mmap and the mapping. */
	{
		DIFFERS,
		"row 20: a private mapping is refused",
		{
			"private_mapping_is_einval",
		},
	},
	{
		DIFFERS,
		"contract: a range may be mmapped again",
		{
			"range_may_be_mapped_again_after_munmap",
			"range_may_be_mapped_again_after_a_failed_mmap",
			"read_only_grant_maps_read_only_after_it_was_refused",
			"range_once_mapped_read_only_may_be_mapped_writable",
			"exit_gives_everything_back",
		},
	},
	{
		DIFFERS_AUTO,
		"contract: a range may be mmapped again",
		{
			"range_with_held_pages_may_be_mapped_again",
		},
	},
	{
		DIFFERS_AUTO,
		"row 12: a failed mmap is undone at once",
		{
			"range_may_name_several_domains",
			"failed_mmap_gives_everything_back_at_once",
			"grant_revoked_before_mmap_is_einval",
			"good_bad_and_revoked_grants_are_told_apart",
			"one_read_only_grant_fails_the_whole_writable_mmap",
		},
	},
	{
		DIFFERS_AUTO,
		"contract: munmap gives the grants back",
		{
			"mapped_grants_are_in_use_until_munmap",
			"same_grant_may_be_mapped_many_times",
			"mmap_over_a_whole_mapping_unmaps_it",
			"munmap_of_more_than_a_range_takes_it_whole",
			"munmap_returns_at_once_and_the_grant_follows_later",
			"pages_that_nobody_holds_are_given_back_before",
			"every_held_page_comes_back_in_any_order",
			"grant_is_back_soon_after_its_last_user",
			"page_mapped_twice_is_in_use_until_the_last_munmap",
			"mappings_of_a_killed_process_end_though_the_device_is_open",
		},
	},
	{
		DIFFERS_PV | SOMETIMES,
		"row 14: a pending signal does not fail mmap",
		{
			"mmap_under_signals_just_works",
		},
	},
	{
		DIFFERS,
		"row 16: read-only for good",
		{
			"read_only_mapping_cannot_be_made_writable",
			"page_of_a_read_only_mapping_cannot_be_made_writable",
			"read_only_grant_maps_read_only",
			"mapping_without_access_cannot_be_made_writable",
		},
	},
	{
		DIFFERS,
		"header: only the entire range can be munmapped",
		{
			"munmap_of_a_part_is_einval",
			"mmap_over_a_part_is_refused",
			"neighbouring_ranges_are_unmapped_one_by_one",
			"mapping_does_not_shrink",
			"part_of_a_mapping_does_not_move",
			"other_memory_may_be_moved_over_a_mapping",
		},
	},
	{
		DIFFERS_PV,
		"row 17: the mapping is never torn",
		{
			"mprotect_takes_writing_away_and_gives_it_back",
			"mprotect_takes_all_access_away_and_gives_it_back",
			"mprotect_of_a_part_tears_nothing",
			"clearing_soft_dirty_bits_keeps_the_data",
		},
	},
	{
		DIFFERS,
		"row 17: the mapping is never torn",
		{
			"madvise_dontneed_keeps_the_data",
			"dontneed_of_locked_pages_is_taken_and_keeps_the_data",
			"madvise_free_and_remove_keep_the_data",
			"read_only_mapping_survives_it_all",
		},
	},
	{
		DIFFERS_PV,
		"row 18: a move is refused or followed",
		{
			"mapping_that_is_moved_is_refused_or_followed",
			"read_only_mapping_that_is_moved_is_refused_or_followed",
			"mapping_that_is_moved_and_back_is_whole",
		},
	},
	{
		DIFFERS_PV,
		"row 57: a hypervisor out of handles is ENOMEM",
		{
			"mapping_all_that_the_hypervisor_allows_is_enomem",
		},
	},

	/* Notification. */
	{
		DIFFERS,
		"header: each mapped page has one notification",
		{
			"first_and_last_byte_of_a_page_can_be_cleared",
			"each_page_has_its_own_notification",
			"later_notification_replaces_the_pages_earlier_one",
			"action_zero_cancels",
			"every_page_may_send_an_event_of_its_own",
		},
	},
	{
		DIFFERS,
		"contract: at munmap the notification is spent",
		{
			"notification_is_spent_at_munmap",
		},
	},
	{
		DIFFERS_AUTO,
		"header: the action is taken on unmap, not on removal",
		{
			"byte_is_cleared_at_munmap",
			"notification_may_be_set_before_mmap",
			"page_that_is_no_longer_mapped_is_not_written",
			"refused_notification_leaves_the_earlier_one",
			"byte_is_cleared_at_exit_though_the_device_is_open_elsewhere",
			"event_waits_for_the_held_page",
			"byte_of_a_held_page_is_cleared_when_it_is_let_go",
		},
	},
	{
		DIFFERS,
		"header: the action is taken on unmap, not on removal",
		{
			"event_is_sent_at_munmap",
			"any_byte_of_the_page_names_it_for_an_event",
			"read_only_mapping_may_send_an_event",
			"replaced_notification_sends_no_event",
			"spent_notification_sends_no_event",
			"byte_then_unmap_then_event_at_munmap",
			"event_is_sent_though_the_program_closed_its_channel",
			"event_is_sent_though_the_program_unbound_its_port",
			"port_is_not_given_to_others_while_a_notification_has_it",
		},
	},
	{
		DIFFERS,
		"row 35: a port of the calling process",
		{
			"port_of_another_process_is_einval",
		},
	},

	/* Copy. */
	{
		DIFFERS,
		"row 39: unknown flags are refused",
		{
			"unknown_flags_are_einval",
		},
	},
	{
		DIFFERS,
		"row 38: what was reported okay was done",
		{
			"okay_before_a_bad_pointer_was_done",
			"okay_before_an_invalid_segment_was_done",
		},
	},
	{
		DIFFERS,
		"contract: long calls are killable",
		{
			"long_copy_is_killable",
		},
	},
};

static bool find(const struct difference_group *group, size_t count,
		 const char *test, unsigned int here, struct difference *found)
{
	for (; count; count--, group++) {
		if (!(group->where & here))
			continue;
		for (size_t j = 0; j < DIFFERENCES && group->tests[j]; j++) {
			if (strcmp(group->tests[j], test))
				continue;
			found->where = group->where;
			found->rule = group->rule;
			return true;
		}
	}
	return false;
}

bool difference_of(const char *test, struct difference *found)
{
	unsigned int here = 0;

	if (world.distribution)
		here = world.auto_translated ? DIFFERS_AUTO : DIFFERS_PV;
	else if (world.machine)
		here = ON_MACHINE;
	return find(groups, sizeof(groups) / sizeof(*groups), test, here,
		    found) ||
	       find(dmabuf_differences, dmabuf_difference_count, test, here,
		    found) ||
	       find(more_differences, more_difference_count, test, here, found);
}
