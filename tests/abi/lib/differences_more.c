// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where the distribution's driver differs in the requests of xen/gntdev_more.h, of which it
 * has none, and in a few others.
 */
#include "tap.h"

#define NO_REQUEST                                                              \
	"header: the requests of xen/gntdev_more.h are served (another driver " \
	"answers ENOTTY)"

const struct difference_group more_differences[] = {
	{
		DIFFERS,
		"contract: what is not mmapped goes with the last descriptor (a "
		"mapping keeps all of it there)",
		{
			"mapping_without_a_descriptor_does_not_keep_other_ranges",
		},
	},
	{
		DIFFERS_PV | SOMETIMES,
		"row 17: madvise does not unmap grants under a program",
		{
			"tables_that_are_freed_beside_faults_do_no_harm",
		},
	},
	{
		DIFFERS | SOMETIMES,
		"requests that it does not have: what a killed child was to do "
		"fails at once",
		{
			"import_of_more_than_the_limit_is_einval",
			"process_killed_while_it_fills_slots_gives_all_back",
			"export_of_much_dma_memory_is_killable",
		},
	},
	{
		DIFFERS,
		NO_REQUEST,
		{
			"programs_map_whole_pages_of_a_buffer_with_an_offset",
			"import_tells_where_the_data_of_a_buffer_begin",
			"import_of_a_buffer_without_an_offset_tells_none",
			"data_must_begin_in_the_first_page",
			"bad_pointers_to_requests_with_an_offset_are_efault",
			"first_entry_may_begin_within_its_page",
			"no_entry_of_a_buffer_with_an_offset_ends_within_a_page",
		},
	},
	{
		DIFFERS,
		NO_REQUEST,
		{
			"anonymous_memory_is_granted",
			"memory_of_a_memfd_is_granted",
			"memory_of_a_closed_memfd_is_granted",
			"memory_shared_with_a_child_is_granted",
			"memory_of_the_heap_is_granted_again_and_again",
			"huge_pages_are_granted",
			"huge_pages_of_a_file_are_granted",
			"memory_of_the_stack_is_granted",
			"memory_of_a_threads_stack_is_granted",
			"memory_that_was_swapped_out_is_granted",
			"shortened_file_harms_nobody",
			"child_has_granted_memory_of_its_own",
			"read_only_granted_memory_is_not_written",
			"granted_pages_stay_when_their_mapping_goes",
			"mapped_memory_stays_granted_until_the_other_side_lets_go",
			"last_close_takes_memory_back",
			"kill_takes_memory_back",
			"fork_leaves_granted_pages_to_the_parent",
			"granted_memory_is_no_range_to_map",
			"range_is_not_granted_memory",
			"bad_requests_to_grant_memory_are_refused",
			"reserved_field_of_ungrant_must_be_zero",
			"failed_copy_out_of_references_grants_nothing",
			"mapped_grants_are_not_granted_on",
			"granted_memory_counts_towards_the_maximum",
			"granted_memory_obeys_rlimit_memlock",
			"byte_of_granted_memory_is_cleared_when_it_is_taken_back",
			"event_is_sent_when_the_granter_of_memory_dies",
			"many_pages_are_granted_and_taken_back",
		},
	},
	{
		DIFFERS,
		NO_REQUEST,
		{
			"restricted_instance_serves_its_domain",
			"request_that_names_another_domain_is_eacces",
			"grants_of_memory_to_another_domain_are_eacces",
			"buffers_of_another_domain_are_eacces",
			"restriction_cannot_be_undone",
			"restriction_is_the_instances_own",
			"restriction_with_another_domains_ranges_is_ebusy",
			"restriction_with_a_range_of_several_domains_is_ebusy",
			"bad_restrictions_are_refused",
		},
	},
	{
		DIFFERS,
		NO_REQUEST,
		{
			"each_grants_status_is_told_after_a_failed_mmap",
			"grants_behind_a_failed_batch_were_not_asked_for",
			"statuses_are_of_the_last_mmap",
			"domain_that_is_none_is_told_apart_from_a_bad_reference",
			"statuses_of_no_range_are_enoent",
			"statuses_to_a_bad_pointer_are_efault",
		},
	},
};

const size_t more_difference_count =
	sizeof(more_differences) / sizeof(*more_differences);
