// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where the distribution's driver is known to differ, and the rule that stands
 * behind the tests: a sentence of the public header or of the contract, or a
 * row of the list of defects; COVERAGE.md has all three. And where the machine,
 * on which the driver is ours, cannot be what a kernel is, and why.
 */
#include <stddef.h>
#include <string.h>

#include "tap.h"
#include "world.h"

#define MOST 32

#define NO_DMABUFS                                                             \
	"header: the four requests for dma-bufs are served (the distribution " \
	"builds its kernel without them)"

struct group {
	unsigned int where;
	const char *rule;
	const char *tests[MOST];
};

static const struct group groups[] = {
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
			"munmap_beside_threads_that_fill_slots",
			"process_killed_while_it_fills_slots_gives_all_back",
			"area_ends_beside_another_process_that_fills_it",
		},
	},

	/* Dma-bufs. */
	{
		DIFFERS,
		NO_DMABUFS,
		{
			"buffer_shows_the_granters_pages",
			"granter_sees_what_is_written_to_a_buffer",
			"size_of_a_buffer_is_what_lseek_tells",
			"descriptor_of_a_buffer_is_close_on_exec",
			"buffer_may_be_mapped_read_only",
			"read_only_mapping_of_a_buffer_cannot_be_made_writable",
			"private_mapping_of_a_buffer_is_einval",
			"buffer_may_be_mapped_many_times_at_once",
			"part_of_a_buffer_may_be_mapped",
			"mapping_beyond_a_buffer_is_einval",
			"munmap_of_a_part_of_a_buffer_is_einval",
			"mapping_of_a_buffer_that_is_moved_is_refused_or_followed",
			"mapping_of_a_buffer_does_not_grow",
			"mprotect_and_madvise_keep_a_buffers_data",
			"child_sees_a_buffers_data_or_none",
			"child_may_map_an_inherited_buffer",
			"cpu_access_is_begun_and_ended",
			"buffer_is_written_to_and_read_from_a_pipe",
			"disk_is_written_and_read_directly_through_a_buffer",
			"munmap_of_a_buffer_returns_at_once_and_its_grants_follow_later",
			"write_combining_buffer_shows_the_granters_pages",
			"coherent_buffer_shows_the_granters_pages",
			"disk_is_read_directly_into_a_coherent_buffer",
			"memory_of_dma_backed_buffers_comes_back_whole",
			"failed_export_of_dma_memory_gives_it_back",
		},
	},
	{
		DIFFERS,
		NO_DMABUFS,
		{
			"unknown_flags_of_an_export_are_einval",
			"both_flags_of_an_export_are_einval",
			"export_of_no_grants_or_absurdly_many_is_einval",
			"export_from_a_domid_above_16_bits_is_einval",
			"one_bad_reference_fails_the_whole_export",
			"export_of_a_read_only_grant_is_einval",
			"export_from_a_bad_pointer_is_efault",
			"failed_copy_out_of_an_export_leaves_no_descriptor",
			"export_without_a_free_descriptor_leaves_nothing",
			"exports_count_towards_the_maximum",
			"no_index_reaches_an_export",
			"closing_a_guessed_number_during_an_export_does_no_harm",
			"buffer_outlives_its_instance",
			"buffer_lives_until_its_last_descriptor",
			"buffer_lives_until_its_last_mapping",
			"buffer_lives_with_the_process_that_it_was_passed_to",
			"buffers_of_a_killed_process_are_given_back",
			"buffer_is_given_back_when_it_is_closed",
			"module_with_a_live_buffer_stays",
			"device_attaches_and_lets_go",
			"buffer_lives_until_its_last_attachment",
			"attachments_end_in_any_order",
			"device_attaches_a_write_combining_buffer",
			"device_attaches_a_coherent_buffer",
		},
	},
	{
		DIFFERS,
		NO_DMABUFS,
		{
			"wait_for_a_live_buffer_times_out",
			"wait_for_nothing_is_enoent",
			"wait_after_the_release_is_enoent",
			"wait_for_another_exporters_buffer_is_enoent",
			"bad_pointer_to_a_wait_is_efault",
			"wait_ends_when_the_buffer_is_released",
			"wait_ends_with_the_last_mapping",
			"wait_ends_with_the_last_attachment",
			"every_waiter_is_woken",
			"wait_is_killable",
			"wait_goes_on_after_a_signal_that_is_handled",
			"wait_begun_while_the_buffer_is_closed_ends",
			"wait_finds_a_buffer_by_any_descriptor_of_it",
			"wait_finds_a_buffer_by_the_number_it_was_given",
			"wait_finds_a_buffer_by_number_though_a_file_has_it_now",
			"wait_for_a_number_used_again_is_for_the_buffer_that_has_it",
			"child_waits_with_what_it_inherited",
		},
	},
	{
		DIFFERS,
		NO_DMABUFS,
		{
			"imported_pages_are_granted",
			"every_page_of_an_import_has_a_reference_of_its_own",
			"release_ends_the_access",
			"close_of_the_instance_ends_the_access",
			"kill_of_the_importer_ends_the_access",
			"buffer_may_be_imported_again_after_release",
			"each_import_of_a_buffer_is_one_of_its_own",
			"import_is_released_by_its_number_after_the_close",
			"release_of_a_number_used_again_is_of_the_buffer_that_has_it",
			"release_of_what_was_not_imported_is_enoent",
			"import_of_no_dma_buf_is_enoent",
			"import_with_another_count_is_einval",
			"reserved_fields_of_imports_must_be_zero",
			"import_for_a_domid_above_16_bits_is_einval",
			"failed_copy_out_of_an_import_leaves_nothing",
			"import_races_with_its_release",
			"release_does_not_wait_for_the_other_side",
			"pages_stay_while_the_other_side_has_them_mapped",
			"largest_buffer_is_granted_until_there_are_no_references",
			"each_page_of_a_merged_scatter_list_is_granted",
			"buffer_of_this_device_is_imported",
			"bad_pointers_to_imports_are_efault",
		},
	},
	{
		DIFFERS,
		NO_DMABUFS,
		{
			"pages_of_udmabuf_are_granted",
			"pages_of_the_system_heap_are_granted",
			"pages_of_a_displays_dumb_buffer_are_granted",
			"another_count_than_udmabufs_is_einval",
			"another_count_than_the_system_heaps_is_einval",
			"another_count_than_a_displays_is_einval",
			"pages_of_udmabuf_stay_while_the_other_side_has_them",
			"pages_of_the_system_heap_stay_while_the_other_side_has_them",
			"pages_of_a_display_stay_while_the_other_side_has_them",
			"part_of_a_file_is_granted_from_its_offset_on",
			"each_page_of_the_system_heaps_merged_list_is_granted",
			"largest_buffer_of_the_system_heap_is_granted_whole",
			"entries_of_several_pages_are_granted_page_by_page",
			"entries_that_a_device_sees_merged_are_granted_once",
			"entry_that_does_not_start_with_its_page_is_einval",
			"entry_that_does_not_end_with_its_page_is_einval",
			"list_of_fewer_pages_than_the_buffer_has_is_einval",
			"list_of_more_pages_than_the_buffer_has_is_einval",
		},
	},
	{
		DIFFERS,
		NO_DMABUFS,
		{
			"other_side_shows_this_domains_pages_in_a_dma_buf",
			"other_side_may_have_many_dma_bufs_of_the_same_pages",
			"dma_buf_of_the_other_side_outlives_this_ones_end",
			"other_side_exports_no_read_only_grants",
			"other_side_exports_all_or_nothing",
			"imported_buffer_is_exported_by_the_other_side",
			"drivers_see_a_buffer_as_one_area_and_its_addresses",
			"drivers_see_a_write_combining_buffer",
			"drivers_see_a_coherent_buffer",
			"area_that_drivers_saw_may_be_used_again",
		},
	},

	/* Grave ones: not run there unless by name. */
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
			"munmap_returns_at_once_and_the_grant_follows_later",
			"removal_succeeds_at_once_while_pages_are_held",
			"close_returns_at_once_while_pages_are_held",
			"held_page_is_still_the_granters",
			"pages_that_nobody_holds_are_given_back_before",
			"every_held_page_comes_back_in_any_order",
			"many_ranges_with_held_pages_come_back",
			"range_with_held_pages_may_be_mapped_again",
			"page_held_twice_waits_for_the_last",
			"held_page_outlives_the_exit_of_its_process",
			"held_page_outlives_the_kill_of_its_process",
			"event_waits_for_the_held_page",
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

bool difference_of(const char *test, struct difference *found)
{
	unsigned int here = 0;

	if (world.distribution)
		here = world.auto_translated ? DIFFERS_AUTO : DIFFERS_PV;
	else if (world.machine)
		here = ON_MACHINE;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		const struct group *group = &groups[i];

		if (!(group->where & here))
			continue;
		for (size_t j = 0; j < MOST && group->tests[j]; j++) {
			if (strcmp(group->tests[j], test))
				continue;
			found->where = group->where;
			found->rule = group->rule;
			return true;
		}
	}
	return false;
}
