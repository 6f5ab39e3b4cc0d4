"""Every limit: where its constant is, and the test which shows that it is kept.

SPEC.md section 13 is made from these two lists. A constant's docstring has its unit and its reason.
"""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Limit:
    """``place`` -- MODULE:NAME, or MODULE:CLASS.FIELD for the default of a field. ``test`` --
    FILE::NAME below tests/. ``meaning`` -- for what has no docstring: a field.
    """

    place: str
    test: str
    meaning: str = ""

    @property
    def module(self) -> str:
        return self.place.partition(":")[0]

    @property
    def name(self) -> str:
        return self.place.partition(":")[2]

    @property
    def value(self) -> int | float:
        owner, _, field = self.name.rpartition(".")
        module = importlib.import_module(self.module)
        value = getattr(getattr(module, owner)() if owner else module, field)
        assert isinstance(value, int | float)
        return value

    @property
    def docstring(self) -> str:
        return self.meaning or docstrings(source(self.module)).get(self.name, "")

    @property
    def row(self) -> str:
        value = f"{self.value:,}" if isinstance(self.value, int) else f"{self.value:g}"
        sentence = re.split(r"(?<=\.)\s", self.docstring)[0].removesuffix(".")
        name = f"{self.module.rpartition('.')[2]}.{self.name}"
        return f"| `{name}` | {value} | {sentence} | `{self.test}` |"


def source(module: str) -> Path:
    """The program is installed as e2ee_cli, and lies in cli/."""
    return ROOT / (module.replace("e2ee_cli", "cli").replace(".", "/") + ".py")


def docstrings(path: Path) -> dict[str, str]:
    """What stands below each constant of a module."""
    body = ast.parse(path.read_text()).body
    found = {}
    for statement, following in pairwise(body):
        if isinstance(statement, ast.Assign) and isinstance(following, ast.Expr):
            for target in statement.targets:
                name, text = ast.unparse(target), ast.literal_eval(following.value)
                found[name] = " ".join(text.split())
    return found


EVERY = "test_limits.py::test_a_limit_is_kept"
SESSION = "session/test_limits.py::"
STATES = "files/test_states_of_transfers.py::"
CHANNEL = "transport/test_channel.py::"
DEADLINES = "cli/test_deadlines.py::"
OF_PROGRAM = "cli/test_limits_of_the_program.py::"
TCP = "transport/test_tcp.py::"
WEBSOCKET = "transport/test_websocket.py::"

PROTOCOL = (
    # Noise, and the opening.
    Limit(
        "e2ee.handshake.cipher_state:MAX_MESSAGE_LENGTH",
        "handshake/test_traps.py::test_a_handshake_message_has_at_most_65535_bytes",
    ),
    Limit(
        "e2ee.handshake.cipher_state:MAX_PLAINTEXT_LENGTH",
        "handshake/test_traps.py::test_65519_bytes_are_the_most_that_a_cipher_state_seals_or_opens",
    ),
    Limit(
        "e2ee.handshake.cipher_state:MAX_NONCE",
        "handshake/test_traps.py::test_the_largest_nonce_is_reserved_in_both_directions",
    ),
    Limit(
        "e2ee.handshake.protocol_name:MAX_NAME_LENGTH",
        "handshake/test_protocol_names.py::test_a_name_has_at_most_255_bytes",
    ),
    Limit(
        "e2ee.limits:HANDSHAKE_PAYLOAD_LENGTH",
        "session/test_states_of_the_specification.py::"
        "test_each_step_of_an_opening_is_as_the_table_says",
    ),
    Limit("e2ee.messages:MAX_CERTIFICATE_LENGTH", EVERY),
    Limit("e2ee.limits:MAX_KNOWN_TIME", EVERY),
    # Records.
    Limit(
        "e2ee.limits:Limits.max_message_size",
        SESSION + "test_a_message_up_to_the_limit_is_sent_and_one_above_it_is_refused",
        "Bytes of an application message, sent or received; each side may set its own.",
    ),
    Limit(
        "e2ee.limits:MIN_RECORD_LENGTH",
        SESSION + "test_a_record_shorter_than_any_is_refused_at_its_length",
    ),
    Limit(
        "e2ee.limits:MAX_RECORD_LENGTH",
        SESSION + "test_the_shortest_and_the_longest_record_are_accepted",
    ),
    Limit(
        "e2ee.limits:MAX_CONTENT_LENGTH",
        SESSION + "test_two_messages_around_the_end_of_a_record_both_arrive",
    ),
    Limit(
        "e2ee.limits:MAX_RECORDS_PER_KEY",
        SESSION + "test_a_receiver_accepts_the_last_record_that_a_key_may_seal_and_not_the_next",
    ),
    Limit(
        "e2ee.limits:Limits.key_update_records",
        SESSION + "test_a_key_seals_exactly_so_many_records_and_its_last_announces_the_next",
        "Records, after which a side replaces its own key; each side may set its own.",
    ),
    Limit(
        "e2ee.limits:Limits.key_update_bytes",
        SESSION + "test_a_key_is_replaced_before_it_has_sealed_more_than_its_bytes",
        "Bytes, after which it does so.",
    ),
    Limit(
        "e2ee.limits:Limits.refresh_records",
        SESSION + "test_a_side_offers_a_refresh_after_exactly_so_many_records",
        "Records, after which a side begins a refresh; each side may set its own.",
    ),
    Limit(
        "e2ee.limits:Limits.refresh_bytes",
        SESSION + "test_a_side_offers_a_refresh_after_so_many_bytes",
        "Bytes, after which it does so.",
    ),
    Limit("e2ee.messages:MAX_REFRESH_MESSAGE", EVERY),
    Limit(
        "e2ee.session:MAX_EXPORT_LENGTH",
        SESSION + "test_an_export_of_any_allowed_length_is_equal_on_both_sides",
    ),
    # Chat and pipe.
    Limit("e2ee.messages:MAX_PURPOSES", EVERY),
    Limit("e2ee.messages:MAX_WORD_LENGTH", EVERY),
    Limit("e2ee.messages:MAX_TEXT_LENGTH", EVERY),
    Limit("e2ee.messages:MAX_CLAIMED_NAME", EVERY),
    Limit("e2ee.journal:MAX_TEXT_ID", EVERY),
    Limit(
        "e2ee.conversation:MAX_STREAMS_OF_A_CHANNEL",
        "conversation/test_states_of_the_specification.py::"
        "test_each_message_is_taken_or_refused_as_the_table_says",
    ),
    Limit(
        "e2ee.journal:MAX_STREAMS",
        "conversation/test_journal.py::test_the_sixteen_streams_that_were_heard_last_are_known",
    ),
    Limit("e2ee.pipe_messages:MAX_DATA", EVERY),
    # Files.
    Limit("e2ee.file_messages:MAX_CHUNK", EVERY),
    Limit("e2ee.file_messages:MAX_FILE_SIZE", EVERY),
    Limit("e2ee.file_messages:MAX_NAME_BYTES", EVERY),
    Limit("e2ee.file_messages:MAX_DEPTH", EVERY),
    Limit("e2ee.file_messages:MAX_FILES", EVERY),
    Limit(
        "e2ee.file_states:WINDOW",
        STATES + "test_a_receiver_refuses_more_than_the_window_of_all_files_together",
    ),
    Limit("e2ee.file_states:MAX_OFFERS", STATES + "test_at_most_a_hundred_offers_on_either_side"),
    Limit("e2ee.file_states:MAX_RUNNING", STATES + "test_at_most_sixteen_files_run"),
    Limit("e2ee.file_states:MAX_MEMBERS", STATES + "test_few_files_of_a_folder_at_once"),
    # What people pass on.
    Limit("e2ee.invitation:MAX_CODE_NUMBER", EVERY),
    Limit("e2ee.invitation:MAX_ADDRESSES", EVERY),
    Limit("e2ee.invitation:MAX_LINK_LENGTH", "test_limits.py::test_the_longest_link"),
    Limit("e2ee.limits:MAX_HOST_LENGTH", EVERY),
    Limit("e2ee.limits:MAX_PORT", EVERY),
    Limit(
        "e2ee.nearby_tag:PERIOD",
        "identity/test_nearby_tag.py::test_a_sign_is_good_in_its_own_period_and_one_on_each_side",
    ),
    Limit(
        "e2ee.nearby_tag:TOLERANCE",
        "identity/test_nearby_tag.py::test_a_sign_is_good_in_its_own_period_and_one_on_each_side",
    ),
)
"""What the other end, or another implementation, has to keep too."""

PROGRAM = (
    # Files of one's own.
    Limit(
        "e2ee.identity:CERTIFICATE_LIFETIME",
        "identity/test_identity_file.py::"
        "test_a_certificate_lives_from_a_day_before_to_90_days_after",
    ),
    Limit(
        "e2ee.identity:RENEWAL_MARGIN",
        "identity/test_identity_file.py::"
        "test_a_certificate_is_renewed_in_its_last_30_days_and_before_it_begins",
    ),
    Limit(
        "e2ee.identity:MAX_FILE_SIZE",
        "identity/test_identity_file.py::"
        "test_a_file_longer_than_any_identity_is_not_read_to_its_end",
    ),
    Limit("e2ee.passphrase:MAX_PASSPHRASE_LENGTH", EVERY),
    Limit("e2ee.passphrase:MAX_MEMORY", EVERY),
    Limit("e2ee.passphrase:MAX_PASSES", EVERY),
    Limit("e2ee.passphrase:MAX_LANES", EVERY),
    Limit("e2ee.contact_file:MAX_SIZE", "test_limits.py::test_the_largest_contact_file"),
    Limit(
        "e2ee.contacts:MAX_CONTACTS",
        "contacts/test_bad_values.py::test_there_is_room_for_ten_thousand_contacts_and_no_more",
    ),
    Limit(
        "e2ee.contacts:MAX_INVITATIONS",
        "contacts/test_book.py::test_there_is_room_for_a_hundred_and_those_that_expired_make_room",
    ),
    Limit(
        "e2ee.contacts:MAX_DEVICES",
        "contacts/test_book.py::test_a_forgotten_device_cannot_repeat_an_old_call",
    ),
    Limit("e2ee.contacts:MAX_ADDRESSES", EVERY),
    Limit("e2ee.contacts:MAX_NAME_LENGTH", EVERY),
    Limit("e2ee.conversation_file:MAX_MESSAGE_LENGTH", EVERY),
    Limit(
        "e2ee.conversation_database:PATIENCE",
        "conversation/test_conversation_file.py::"
        "test_a_file_that_another_program_locks_is_said_to_be_in_use",
    ),
    # Connections.
    Limit(
        "e2ee.transport.channel:Timeouts.handshake",
        CHANNEL + "test_the_deadline_of_the_handshake_is_absolute",
        "Seconds for the whole opening, however many bytes come.",
    ),
    Limit(
        "e2ee.transport.channel:Timeouts.quiet",
        CHANNEL + "test_a_quiet_peer_is_asked_and_answers",
        "Seconds without a byte from the peer, after which it is asked for a sign of life.",
    ),
    Limit(
        "e2ee.transport.channel:Timeouts.dead",
        CHANNEL + "test_a_dead_peer_is_given_up_in_time",
        "Seconds without a sign of life from the peer, after which it is given up.",
    ),
    Limit(
        "e2ee.transport.channel:Timeouts.refresh",
        CHANNEL + "test_keys_are_refreshed_by_the_clock_and_nothing_is_lost",
        "Seconds of use after which a refresh begins.",
    ),
    Limit(
        "e2ee.transport.channel:Timeouts.close",
        CHANNEL + "test_a_peer_that_never_answers_the_close_is_given_up_in_time",
        "Seconds that a close waits while no byte moves.",
    ),
    Limit(
        "e2ee.transport.channel:SEND_HIGH_WATER",
        CHANNEL + "test_a_sender_waits_for_a_receiver_that_does_not_read",
    ),
    Limit(
        "e2ee.transport.channel:RECEIVE_HIGH_WATER",
        CHANNEL + "test_a_sender_waits_for_a_receiver_that_does_not_read",
    ),
    Limit(
        "e2ee.transport.channel:CLOSING_HIGH_WATER",
        CHANNEL + "test_closing_need_not_wait_for_what_is_not_received",
    ),
    Limit(
        "e2ee.transport.channel:MESSAGE_OVERHEAD",
        CHANNEL + "test_a_peer_cannot_fill_our_memory_with_empty_messages",
    ),
    Limit(
        "e2ee.transport.stream_transport:CLOSE_TIMEOUT",
        CHANNEL + "test_a_stream_that_does_not_end_is_left",
    ),
    Limit(
        "e2ee.transport.half_open:MAX_HANDSHAKES",
        TCP + "test_the_limit_of_half_open_connections_holds_when_they_come_all_at_once",
    ),
    Limit(
        "e2ee.transport.half_open:MAX_HANDSHAKES_OF_HOST",
        TCP + "test_no_more_of_one_host_than_its_limit_are_half_open_and_the_oldest_go_first",
    ),
    Limit(
        "e2ee.transport.tcp:SPARED_DESCRIPTORS",
        "faults/test_no_descriptors.py::"
        "test_callers_who_stay_do_not_take_the_descriptors_that_a_listener_needs_for_its_files",
    ),
    Limit(
        "e2ee.transport.tcp:CONNECT_TIMEOUT",
        DEADLINES + "test_an_address_that_does_not_answer_is_given_up",
    ),
    Limit(
        "e2ee.transport.tcp:ATTEMPT_TIMEOUT",
        DEADLINES + "test_an_address_that_does_not_answer_is_given_up",
    ),
    Limit(
        "e2ee.transport.websocket:MAX_RECEIVED_SIZE",
        WEBSOCKET + "test_a_message_up_to_the_limit_is_received_and_a_larger_one_breaks_it",
    ),
    Limit(
        "e2ee.transport.websocket:CONNECT_TIMEOUT",
        WEBSOCKET + "test_a_server_that_says_nothing_is_given_up",
    ),
    Limit(
        "e2ee.transport.websocket:GOODBYE_TIMEOUT",
        WEBSOCKET + "test_a_close_that_cannot_leave_is_given_up",
    ),
    # The chat.
    Limit("e2ee_cli.purpose:HELLO_TIMEOUT", DEADLINES + "test_a_peer_without_a_hello_is_given_up"),
    Limit("e2ee_cli.chat:MAX_PEOPLE", OF_PROGRAM + "test_so_many_people_and_no_more"),
    Limit(
        "e2ee_cli.chat:MAX_WAITING",
        OF_PROGRAM + "test_so_many_texts_wait_before_the_next_line_is_read",
    ),
    Limit(
        "e2ee_cli.correspondent:RECEIPT_INTERVAL",
        "faults/test_channels_of_one_stream.py::"
        "test_texts_that_are_shown_at_a_time_have_one_receipt",
    ),
    Limit(
        "e2ee_cli.waiting:RETURN_TIMEOUT",
        "faults/test_silence.py::"
        "test_a_sleep_longer_than_the_others_patience_loses_nothing_and_shows_nothing_twice",
    ),
    Limit("e2ee_cli.waiting:REPORTS", "cli/test_pipes.py::test_reports_of_strangers_are_bounded"),
    Limit(
        "e2ee_cli.correspondent:GOODBYE_TIMEOUT",
        DEADLINES + "test_the_answer_to_a_goodbye_in_a_chat",
    ),
    Limit("e2ee_cli.carrying:GOODBYE_TIMEOUT", DEADLINES + "test_a_goodbye_after_a_signal"),
    Limit(
        "e2ee_cli.chat:CONFIRMATION_TIMEOUT",
        DEADLINES + "test_texts_are_waited_for_while_some_are_confirmed",
    ),
    Limit(
        "e2ee_cli.calling:LONGEST_PAUSE",
        OF_PROGRAM + "test_the_longest_pause_between_two_calls",
    ),
    Limit(
        "e2ee_cli.view:MAX_UNSHOWN",
        "faults/test_attacks_by_a_peer.py::"
        "test_a_flood_of_texts_at_a_slow_reader_is_held_back_and_holds_up_nobody",
    ),
    Limit("e2ee_cli.view:LAST_LINES", DEADLINES + "test_the_last_lines_of_a_chat"),
    Limit(
        "e2ee_cli.output:STDERR_PATIENCE",
        DEADLINES + "test_what_is_to_be_said_while_stderr_is_stuck",
    ),
    Limit(
        "e2ee_cli.inline_screen:MAX_UNWRITTEN",
        "cli/test_inline_screen.py::test_a_stuck_terminal_holds_up_neither_the_end_nor_the_memory",
    ),
    Limit(
        "e2ee_cli.inline_screen:PATIENCE",
        "cli/test_inline_screen.py::test_a_stuck_terminal_holds_up_neither_the_end_nor_the_memory",
    ),
    Limit(
        "e2ee_cli.piping:MESSAGES_AHEAD",
        "cli/test_pipe_command.py::"
        "test_a_reader_that_stalls_holds_up_no_signal_and_fills_no_memory",
    ),
    Limit("e2ee_cli.file_desk:AT_ONCE", OF_PROGRAM + "test_so_many_files_are_offered_at_once"),
    Limit("e2ee_cli.transfer:RETURN_TIMEOUT", DEADLINES + "test_who_sends_files_calls_again"),
    Limit("e2ee_cli.file_names:MAX_BYTES", EVERY),
    Limit(
        "e2ee_cli.file_names:MAX_NUMBERED", OF_PROGRAM + "test_so_many_names_are_tried_for_a_file"
    ),
    Limit("e2ee_cli.names:MAX_SHOWN", EVERY),
    Limit("e2ee_cli.names:MAX_MARKS", EVERY),
    Limit("e2ee_cli.demo:PEER_TIMEOUT", DEADLINES + "test_the_other_process_of_the_demonstration"),
    # What its owner gives it.
    Limit(
        "e2ee_cli.settings:MAX_CONFIG_SIZE",
        "cli/test_config.py::test_a_file_is_read_up_to_its_limit",
    ),
    Limit("e2ee_cli.settings:MAX_NAME", EVERY),
    Limit("e2ee_cli.settings:MAX_HISTORY_DAYS", EVERY),
    Limit("e2ee_cli.home:MAX_PROFILE_LENGTH", EVERY),
    Limit(
        "e2ee_cli.home:TRIES",
        "cli/test_identity_commands.py::test_five_wrong_passphrases_end_with_exit_code_8",
    ),
    Limit("e2ee_cli.ask:MAX_ANSWER", "cli/test_ask.py::test_a_line_that_is_too_long_is_refused"),
    Limit(
        "e2ee_cli.passphrases:MAX_LINE",
        OF_PROGRAM + "test_of_a_file_no_more_is_read_than_can_be_of_use",
    ),
    Limit(
        "e2ee_cli.join:MAX_FILE",
        OF_PROGRAM + "test_of_a_file_no_more_is_read_than_can_be_of_use",
    ),
    Limit("e2ee_cli.invite:LONGEST_LIFE", OF_PROGRAM + "test_the_longest_life_of_a_link"),
    Limit(
        "e2ee_cli.invite:HIGHEST_NUMBER",
        OF_PROGRAM + "test_so_many_numbers_are_tried_and_none_above_the_highest",
    ),
    Limit(
        "e2ee_cli.invite:NUMBER_TRIES",
        OF_PROGRAM + "test_so_many_numbers_are_tried_and_none_above_the_highest",
    ),
    Limit(
        "e2ee_cli.hint:PATIENCE", "cli/test_hint.py::test_the_hint_comes_at_its_time_and_not_before"
    ),
    Limit(
        "e2ee_cli.book:PATIENCE",
        "cli/test_contact_commands.py::"
        "test_contacts_that_another_program_holds_for_long_are_said_to_be_in_use",
    ),
    # The local network.
    Limit(
        "e2ee_cli.discovery:SEARCH_TIME",
        "cli/test_invitations.py::test_nobody_answers_for_the_number",
    ),
    Limit(
        "e2ee_cli.mdns:MAX_ANSWERS",
        "cli/test_discovery.py::test_a_flood_of_machines_is_cut_short",
    ),
    Limit(
        "e2ee_cli.mdns:MAX_LABEL",
        OF_PROGRAM + "test_a_name_that_no_question_can_have_is_not_asked_for",
    ),
    Limit(
        "e2ee_cli.nearby:MAX_PLACES",
        "cli/test_nearby.py::test_a_flood_of_places_for_one_contact_is_cut_short",
    ),
    Limit(
        "e2ee_cli.nearby:MAX_MACHINES",
        "cli/test_nearby.py::test_the_signs_of_so_many_machines_are_looked_at",
    ),
    Limit("e2ee_cli.nearby:MAX_TEXT", "cli/test_nearby.py::test_so_long_a_record_is_looked_at"),
    Limit(
        "e2ee_cli.nearby:SEARCH_TIME",
        "cli/test_nearby.py::test_who_shows_up_later_than_that_is_not_here",
    ),
)
"""What bounds this package and its program, and may be different in another."""

SIZES = {
    *("KEY_LENGTH", "TAG_LENGTH", "PSK_LENGTH", "SHARE_LENGTH", "SALT_LENGTH", "NONCE_LENGTH"),
    *("SEED_LENGTH", "STREAM_LENGTH", "LINK_SECRET_LENGTH", "LOOKUP_ID_LENGTH", "PREFIX_LENGTH"),
    *("CONFIRMATION_LENGTH", "INNER_HEADER_LENGTH", "RECORD_PREFIX_LENGTH", "PHRASE_LENGTH"),
    *("MESSAGE_PREFIX_LENGTH", "WORD_COUNT", "CODE_WORDS", "DIGITS", "SHORTEST_PADDED"),
    *("PADDED_TO", "VERSION", "MARK", "MEMORY", "PASSES", "LANES", "KIB", "MIB", "GIB", "DAY"),
}
"""What has one size, and no other."""

PACE = {
    *(
        "PAGE",
        "READ_SIZE",
        "CHUNK",
        "PIECE",
        "COPIED",
        "GRACE",
        "SENT_SIZE",
        "BACKLOG",
        "ACCEPT_PAUSE",
        "MUTE_MARGIN",
        "PAUSE",
        "WATCH",
    ),
    *("FIRST_PAUSE", "ASLEEP", "LATE", "IDLE", "CHECK_TIME", "AFTERTIME", "ECHO_TIME", "POLL"),
    *("CLOCK_CHECK", "INTERVAL", "ROWS_AT_ONCE", "PROGRESS_INTERVAL", "PASTE_GAP", "TOLD_EVERY"),
    *("REDRAWN_EVERY", "MESSAGES_AT_ONCE", "PIPE_SIZE", "REPORT_PERIOD", "IN_PLACE_LENGTH"),
    *("SMALL_CHUNK_LENGTH", "LARGE_PART_LENGTH", "BLOCK_LENGTH", "FIRST_RECORD"),
    *("MIN_BUFFER_LENGTH", "MAX_BUFFER_LENGTH", "OPENING_BUFFER_LENGTH"),
}
"""How the work is cut up, and how often something is looked at: another value changes no result."""

LOOK = {"INDENT", "MAX_ROWS", "NARROWEST", "QUIET_ZONE", "SHORT_ID", "SHOWN", "COLOURS"}
"""What fits on a screen."""

OTHER = {
    *("DEFAULT_PORT", "LATEST", "EARLIEST_PLAUSIBLE", "LATEST_PLAUSIBLE", "TESTED", "STDIN"),
    *("STDOUT", "STDERR", "MODE", "PR_SET_DUMPABLE", "QUERY", "RESPONSE", "A", "PTR", "TXT"),
    *("AAAA", "SRV", "IN", "RENAME_NOREPLACE"),
}
"""Numbers that somebody else has given."""

NO_LIMITS = SIZES | PACE | LOOK | OTHER
