//! Stories, one file each: what happens, and what revertd does about it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a story that cannot go on has failed")]

#[path = "../support/openapi.rs"]
mod openapi;
#[path = "../support/mod.rs"]
mod support;

#[path = "../support/chat.rs"]
mod chat;

#[path = "../support/sync.rs"]
mod sync;

mod a_change_breaks_the_sync;
mod agent_is_cut_off;
mod alerts_have_ceilings;
mod approval_lands_the_proposal;
mod approvals_are_attacked;
mod asked_before_a_merge;
mod bad_deploy_is_merged_away;
mod bad_deploy_is_proposed;
mod base_moves_under_a_proposal;
mod base_moves_under_a_pull_request;
mod branch_has_rules;
mod branch_is_deleted;
mod branch_is_rewritten;
mod breach_before_the_change;
mod budgets_hold_over_a_restart;
mod chat_is_down;
mod clusters_differ;
mod comment_approves_the_pull_request;
mod commits_are_signed;
mod conflict_ends_in_a_proposal;
mod conflict_ends_in_a_refusal;
mod crash_leaves_one_revert;
mod doctor_looks_and_touches_nothing;
mod error_budgets_are_told;
mod force_merge_falls_back;
mod forge_is_down;
mod forge_repository_is_replaced;
mod forge_signs_the_commit;
mod four_eyes_and_owners;
mod github_is_down;
mod github_loses_its_answers;
mod hold_beats_approve;
mod hours_limit_merging;
mod human_deletes_the_proposal;
mod human_fixes_forward;
mod human_merges_the_proposal;
mod human_reverts_first;
mod kill_switches_stop;
mod labelled_issue_stops;
mod landings_are_told_apart;
mod long_stories_fit;
mod messages_hold_our_trailers;
mod never_back_and_never_reverted;
mod nobody_answers;
mod one_commit_breaks_two_services;
mod only_the_services_part;
mod outage_is_not_a_commit;
mod pause_holds;
mod people_merge_the_pull_request;
mod policies_are_tightened;
mod probe_outage_never_reverts;
mod protected_paths;
mod pull_request_is_adorned;
mod pull_request_is_closed;
mod push_races_with_a_person;
mod reader_approves_in_vain;
mod recovery_is_checked;
mod remote_refuses_a_push;
mod render_vouches;
mod repositories_that_are_not_worked_with;
mod revert_changes_nothing;
mod reverted_change_spreads;
mod risky_files_are_proposed;
mod same_hour_every_day;
mod secrets_of_chats;
mod several_suspects_are_proposed;
mod somebody_pushes_onto_the_pull_request;
mod somebody_reverts_in_a_pull_request;
mod state_ran_healthy;
mod statuses_tell_what_runs;
mod story_is_told;
mod to_and_fro_is_for_people;
mod told_over_a_restart;
mod two_agents_make_one_pull_request;
mod versions_run_side_by_side;
mod what_landed_is_not_the_plan;
mod what_runs_is_asked;
