//! The faults by name.

use rooms::authorize::Rule;
use rooms::mistakes::Mistake;

/// Declares the faults of the server itself, each with a sentence.
macro_rules! faults {
    ($($fault:ident: $sentence:literal;)+) => {
        /// One way in which the server can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            /// The room rules are wrong.
            Rules(Mistake),
            $(#[doc = $sentence] $fault,)+
        }

        impl Fault {
            /// Those of the server itself.
            pub(super) const OWN: &[Self] = &[$(Self::$fault),+];

            /// What is wrong, in a sentence.
            pub fn sentence(self) -> String {
                match self {
                    Self::Rules(mistake) => mistake.sentence(),
                    $(Self::$fault => $sentence.to_owned(),)+
                }
            }
        }
    };
}

faults! {
    // What a sync tells.
    FilterOfRoomsIgnored: "The rooms of a sync filter are ignored.";
    IgnoredUsersHeard: "Ignored users are heard.";
    FullStateIgnored: "The parameter full_state is ignored.";
    StateAfterIgnored: "The parameter use_state_after is ignored.";
    SyncWaitsItsTime: "A sync waits for the whole of its time although there is news.";
    SyncNeverWaits: "A sync returns at once although there is no news.";
    AccountDataNotTold: "Changes of global account data are told to no client.";
    DeparturesNotTold: "Rooms that the user has left are not told of.";
    IncludeLeaveIgnored: "The filter include_leave is ignored.";
    InvitesOfIgnoredUsersTold: "Invites of ignored users are told.";
    ThreadCountsNotSplit: "Unread counts are never split by thread.";
    HighlightsCountAll: "Every notification counts as a highlight.";
    StrippedStateWithoutCreate: "Stripped state lacks the create event.";
    EventFieldsIgnored: "The filter event_fields is ignored.";
    FederationFormatIgnored: "The filter event_format is ignored.";
    GapsNotTold: "A timeline never says that it is limited.";
    GapsAlwaysTold: "A timeline always says that it is limited.";
    PrevBatchTooEarly: "The token for what is before a timeline skips an event.";
    PrevBatchTooLate: "The token for what is before a timeline repeats its first event.";
    TimelineFilterIgnored: "The timeline filter of a sync is ignored.";
    TimelineLimitIgnored: "The limit of a timeline is ignored.";
    PrivateReceiptsShown: "Private receipts are shown to everybody in the room.";
    ReceiptsNotTold: "Receipts are told to nobody.";
    ReceiptsWithoutThread: "Receipts do not say of which thread they are.";
    TypingNotTold: "Nobody is told who types.";
    PresenceShownToStrangers: "Presence is told to users who share no room.";
    PresenceNotTold: "Presence is told to nobody.";
    HeroesIncludeOneself: "The heroes of a room include the user who asks.";
    HeroesByName: "The heroes of a room are the first by their names.";
    HeroesOfEmptyRoomsOmitted: "A room that everybody else has left has no heroes.";
    JoinedCountWithInvited: "The number of joined members counts those who are invited.";
    SummaryNotRenewed: "The summary of a room is told once and never again.";
    LazyLoadingIgnored: "Members are never loaded lazily.";
    LazyOwnMemberOmitted: "Lazy loading leaves the user's own membership out.";
    LazySendersOmitted: "Lazy loading leaves out the members who sent what is in the timeline.";
    EmptyStateAfterOmitted: "State after the timeline is left out where it is empty.";
    LastActivityStale: "Presence events say that their user was active just now.";
    StateInGapsOmitted: "State that changed in a gap is not told.";
    StateFilterIgnored: "The state filter of a sync is ignored.";

    // Encryption.
    AnythingSigned: "Signatures are taken on objects that are not the keys the server has.";
    OneTimeKeyCountsNotTold: "A sync does not tell how many one-time keys are left.";
    DeviceListsNotTold: "A sync does not tell whose devices have changed.";
    DeviceChangesNotTold: "Users are not told of changed devices of those they share a room with.";
    DeviceDeparturesNotTold: "Users are not told with whom they share no encrypted room any more.";
    DeviceArrivalsNotTold: "Users are not told with whom they have come to share an encrypted room.";
    DevicesOfStrangersTold: "Users are told of changed devices of strangers.";
    KeysGivenOutTwice: "A one-time key is given out again and again.";
    NoFallback: "The fallback key is not given out.";
    UserSigningKeysShown: "Everybody sees the user-signing key of a user.";
    QueriedDevicesIgnored: "A query of keys gives all devices of a user.";
    CrossSigningUnprotected: "Cross-signing keys are replaced without authentication.";
    OldBackupsWritable: "Keys can be put into a backup that is not the current one.";
    WorseKeysKept: "A backup takes keys that are worse than those it has.";
    DeletedBackupsFound: "Deleted backups are found.";
    BackupAlgorithmChangeable: "The algorithm of a backup can be changed.";

    // Messages to devices.
    ToDeviceDeliveredAgain: "A message to a device is told again after it has arrived.";
    ToDeviceLostWithAnswer: "A message to a device is lost with the answer that has it.";
    ToDeviceWildcardIgnored: "A message to all devices reaches none.";
    ToDeviceToAllDevices: "A message to one device reaches all devices of its owner.";
    ToDeviceRepeated: "A repeated transaction sends its messages to devices again.";

    // Filters.
    WildcardsIgnored: "Wildcards in the types of filters are ignored.";
    ExclusionsIgnored: "What a filter excludes is ignored.";
    SendersIgnored: "The senders of filters are ignored.";
    ContainsUrlIgnored: "The filter contains_url is ignored.";
    EmptyListsAdmitAll: "A filter that wants nothing gets everything.";
    RoomsOfEventFiltersIgnored: "The rooms of an event filter are ignored.";

    // Who may see what.
    HistoryShownToAll: "History visibility is ignored.";
    HistoryOfAbsenceShown: "Whoever has ever joined sees what was sent while they were away.";
    StateShownAfterDeparture: "Whoever has left a room sees its state change.";
    StateShownToStrangers: "Anybody may read the state of a room.";
    RoomsNotForgotten: "A room that was forgotten is told of as before.";

    // Sending.
    TransactionsCarriedOutAgain: "A repeated transaction sends its event again.";
    RedactionsWithoutEffect: "A redaction takes nothing out.";
    NobodyWoken: "Whoever waits in a sync is not woken by what others send.";

    // Events as clients see them.
    TransactionIdNotTold: "The device that sent an event is not told its transaction id.";
    TransactionIdToldToAllDevices: "Every device of a sender is told the transaction id.";
    PrevContentOmitted: "State events do not tell the content that they replace.";
    RedactedBecauseOmitted: "A redacted event does not tell of its redaction.";
    AggregationsOmitted: "Events come without bundled aggregations.";
    MembershipOfViewerWrong: "Events say of every viewer that they were joined.";
    ErasureIgnored: "Newcomers see what erased users have sent.";
    ReplacementsOfOthersTaken: "Everybody can replace what others have sent.";
    ReplacementsOfOtherTypesTaken: "An event can be replaced by one of another type.";
    ReplacementsOfStateTaken: "State can be replaced like a message.";
    OldestReplacementTaken: "The oldest replacement of an event counts.";
    ThreadsCountTheirRoot: "The number of events in a thread counts its root.";
    ParticipationNotTold: "No user has participated in a thread.";
    RecursionDepthAlwaysTold: "The depth of recursion is told although none was asked for.";
    SearchPagesRepeat: "Every page of a search is the first.";
    ProfileValuesUnchecked: "Name and avatar of a user can be anything.";
    LimitsOfMediaUntold: "Whoever meets a limit of media is told of a wrong request.";
    ThumbnailsAlwaysMove: "A thumbnail of an image that moves does so, whatever the client asks for.";
    SmallImagesRedrawn: "An image that is smaller than its thumbnail is made anew.";
    HugeFilesPassedOn: "Files of other servers are passed on however large they are.";
    UnbansOfAnybody: "The ban of a user who is not banned can be lifted.";
    EverythingAttached: "Nothing is shown inside of a page, not even thumbnails.";
    RedactedChildrenCounted: "Relations of redacted events count.";
    ChildrenOfIgnoredUsersCounted: "Relations of ignored users count.";
    ThreadsOldestFirst: "Threads are listed the oldest first.";

    // Accounts and sessions.
    OthersDataOpen: "A user may read and change what belongs to others.";
    EverybodyAdministers: "Every user is an administrator.";
    LocksIgnored: "Locked accounts may be used.";
    SuspensionsIgnored: "Suspended accounts may be used as before.";
    QueryTokensIgnored: "Access tokens in the query string are ignored.";
    RefreshTokensUsableAgain: "A refresh token can be used again after the new access token was.";
    SessionsOutliveLogout: "Access tokens are good after the session has ended.";
    AnyPasswordTaken: "Any password is taken.";
    OthersAuthenticate: "Any user can authenticate for what another does.";
    StagesNotNeeded: "User-interactive authentication is over before a stage is completed.";
    ErasureNotAskedFor: "The wish to be erased is ignored.";
    PasswordChangeKeepsSessions: "A new password leaves all sessions as they are.";
    LogoutDevicesIgnored: "A new password ends all other sessions though the user does not want that.";
    InhibitLoginIgnored: "Registration opens a session that nobody wants.";
    TakenNamesAvailable: "User names that are taken are said to be available.";
    DevicesNotDeleted: "Devices that are deleted stay.";

    // Profiles and account data.
    ProfileNotSpread: "Rooms are not told of a new name or picture.";
    AccountDataOfServerWritable: "Account data that belongs to the server can be set.";
    SettingsStayBehind: "Nobody finds the tags of a room, or its push rule, in the room that replaces it.";
    TagsNotRemoved: "Tags that are removed stay.";
    StatusMessagesLost: "Status messages are lost.";

    // Rooms.
    ReasonsLost: "Reasons for memberships are lost.";
    RestrictedConditionsIgnored: "Anybody may join a restricted room.";
    GuestsJoinAnywhere: "Guests may join rooms that do not let them in.";
    GuestsStay: "Guests stay in a room that no longer lets them in.";
    VersionsOfInvitesHandedOn: "What another server says of the version of a room is handed on to whoever invites.";
    InvitesNotBlocked: "Users who block invitations are invited, and told.";
    NoticesRejected: "The invitation to the room of server notices can be rejected.";
    AnnotationsRepeated: "A user may annotate an event twice with the same key.";
    ThreadsInThreads: "A thread may begin at an event that relates to another.";
    ForgettingWhileJoined: "A room can be forgotten while the user is in it.";

    // New rooms.
    VisibilityIgnored: "No new room is published.";
    RoomVersionIgnored: "Every new room has the default version.";
    CanonicalAliasNotSet: "The alias of a new room is not its canonical one.";
    NameNotSet: "A new room does not get its name.";
    TopicNotSet: "A new room does not get its topic.";
    InvitesNotSent: "The users who are to be invited to a new room are not.";
    IsDirectLost: "The invites of a direct chat do not say that it is one.";
    CreationContentIgnored: "The content of the create event is the server's alone.";
    PowerLevelOverrideIgnored: "The levels that are asked for in a new room are ignored.";
    InitialStateIgnored: "The initial state of a new room is ignored.";
    InitialStateOverruled: "The preset of a new room overrules its initial state.";
    TrustNotGiven: "Those who are invited to a trusted private chat have no more power than others.";
    TrustedAreNoCreators: "Those who are invited to a trusted private chat are no creators of it.";

    // State and members.
    MembershipFilterIgnored: "Members are listed whatever their membership.";
    MembersAtIgnored: "Members are listed as they are now, not as they were at a token.";
    MembersShownToStrangers: "Anybody may ask who has joined a room.";
    StateFormatIgnored: "A piece of state is always its content alone.";

    // Aliases and directory.
    CanonicalAliasesUnchecked: "A canonical alias may lead to another room, or nowhere.";
    AliasesShownToStrangers: "Anybody may list the aliases of a room.";
    UnpublishedRoomsListed: "Rooms are in the directory though they are not published.";
    SmallestRoomsFirst: "The smallest rooms come first in the directory.";
    SearchTermIgnored: "The search term of the directory is ignored.";
    RoomTypesIgnored: "The room types of a directory search are ignored.";
    DirectoryLimitIgnored: "The directory comes as a whole.";

    // History.
    MessagesFilterIgnored: "The filter of a page of messages is ignored.";
    MessagesEndIgnored: "The end of a page of messages that the client names is ignored.";
    MessagesStartIgnored: "Every page of messages begins at the end of the history.";
    MessagesLimitIgnored: "The limit of a page of messages is ignored.";
    MessagesAlwaysBackwards: "Messages are always read backwards.";
    PagesSkipAnEvent: "Between two pages of history an event is missing.";
    PagesOverlap: "Two pages of history have an event in common.";
    MessagesReadToTheEndByLeavers: "Whoever has left a room reads what is sent there afterwards.";
    ContextWithStateOfNow: "The state round an event is that of now.";
    TimestampDirectionReversed: "The event nearest to a time is looked for in the other direction.";
    RecursionIgnored: "Relations of relations are not followed.";
    RelationsOldestFirst: "Relations come the oldest first.";
    RelationTypesIgnored: "Relations come whatever their type.";
    ParticipationIgnored: "Threads are listed that the user has said nothing in.";

    // Push rules.
    NewRulesLast: "A new push rule is the least important of its kind.";
    RulesBeforeComeAfter: "A push rule that is put before another comes after it.";
    RulesAfterComeBefore: "A push rule that is put after another comes before it.";
    PredefinedRulesRemovable: "Predefined push rules can be removed.";
    DisabledRulesApply: "Disabled push rules apply.";
    WordsMatchedAnywhere: "Patterns match inside of words.";
    RoomMentionsByAnybody: "Anybody may mention the whole room.";
    ReceiptsDoNotRead: "A receipt does not end what is unread.";
    ThreadReceiptsReadTheRoom: "A receipt for a thread reads the whole room.";

    // Reading.
    ReceiptThreadsUnchecked: "A receipt may name a thread that its event is not in.";
    FullyReadNotKept: "The marker of what is fully read is not kept.";
    TypingNeverEnds: "Who stops typing goes on typing until the time is over.";

    // Spaces.
    SuggestedOnlyIgnored: "The parameter suggested_only is ignored.";
    MaxDepthIgnored: "The parameter max_depth is ignored.";
    SpaceOrderIgnored: "The order of the children of a space is ignored.";
    HiddenRoomsWalked: "A walk through a space shows rooms that the user may not see.";
    ChildrenWithoutViaWalked: "Children of a space that were removed are walked.";

    // Finding people.
    ReportsByStrangers: "Whoever is not in a room may report what is sent there.";

    // Services beside the server.
    HomeserverTokenLeftOut: "Requests to application services do not bear the token that they know the server by.";
    FailedTransactionsLost: "What an application service has not taken is not sent again.";
    FailedTransactionsRenumbered: "What an application service has not taken is sent again under another id.";
    TransactionsNewestFirst: "The events of a transaction for an application service come the newest first.";
    NamespacesIgnored: "Application services are told what happens in all rooms.";
    PrivateReceiptsToldToServices: "Application services are told of everybody's private receipts.";
    ServicesNotQueried: "Application services are not asked for users and aliases of theirs that do not exist yet.";
    OlderPathsNotTried: "Application services that know the older paths alone are told nothing.";
    SilentServicesAskedOnce: "An application service that does not answer is not asked again.";
    ServicePausesConstant: "An application service that fails is left alone for no longer each time.";
    PresenceNotToldToServices: "Application services are told nobody's presence.";
    EphemeralDataWithoutRoom: "Application services are not told in which room somebody types or has read.";
    ServicesActAsAnybody: "An application service may act as any user.";
    ServiceDevicesUnchecked: "An application service may act with devices that do not exist.";
    ServiceTimesUnchecked: "What an application service says instead of a time is ignored.";
    ServicesAuthenticateLikeUsers: "Application services need user-interactive authentication.";
    NamespacesOpenToAll: "Anybody may have the user ids and aliases that are set aside for an application service.";
    FailedPingsLookAlike: "A ping that fails is told as one whose connection failed, whatever the reason.";
    PingsUnderOtherIds: "An application service may ask for a ping under the id of another.";
    RejectedPushkeysKept: "A push key that its gateway rejects is kept.";
    FailedNotificationsLost: "A notification that a gateway has not taken is not sent again.";
    NotificationFormatIgnored: "Push gateways are told the content of events, whatever the pusher asks for.";
    NotificationPausesConstant: "A gateway that fails is left alone for no longer each time.";
    PusherDataCut: "Push gateways are not told the data of a pusher.";
    UnreadCountsNotPushed: "Push gateways are not told how much is unread.";
    ZeroCountsPushed: "Push gateways are told counts of zero.";
    UnmatchedEventsPushed: "Events are pushed that no push rule matches.";
    OwnEventsPushed: "Users are notified of what they have sent themselves.";
    JoinsNotPutToPolicy: "Joins of other servers' users are not put to the policy server of a room.";
    PolicyRefusalsIgnored: "What the policy server of a room refuses to sign is sent all the same.";
    PolicySignaturesUnchecked: "The signature that a policy server gives is not checked.";
    UnsignedByPolicyShown: "Events are shown that the policy server of their room has not signed.";
    AbsentPolicyServersUsed: "A server of which nobody is in a room can be its policy server.";
    RefusedAddressesTaken: "Accounts may have addresses that the operator refuses.";
    UnprovedAddressesHandedOn: "The older way to add an address hands on what the identity server says against it.";
    AddressesSharedByAccounts: "Tokens are sent to addresses that another account has.";
    BindingsForgotten: "The server forgets with which identity server an address was bound.";
    BindingsOutliveAccounts: "A deactivation leaves the bindings of addresses as they are.";
    InviteKeysUnchecked: "Nobody is asked whether the key of an invite by address is still valid.";
    PeppersLeftOut: "Addresses are looked up by hashes without the pepper of the identity server.";
    IdentityTokensLeftOut: "Identity servers are not shown the access token of the user who names them.";
    IdentityErrorsHidden: "What an identity server says against a binding is not handed on.";
    BindingsNotExchanged: "Nobody is invited by an address that they have bound.";
    UnbindingsUnsigned: "An identity server is asked without a signature to forget an address.";
    OpenidVouchesForNobody: "No service is told who the user of an OpenID token is.";

    // Other servers.
    DelegationIgnored: "Servers that are delegated are looked for as if they were not.";
    DelegationKeptForever: "A delegation is kept for longer than it says.";
    RedirectedDelegationIgnored: "A delegation that lies elsewhere is taken for none.";
    ServicesIgnored: "The SRV records of servers are not looked up.";
    OldServiceFirst: "The old SRV records of servers come before the new ones.";
    HostsUndelegated: "Servers that are delegated are called by the name that they had before.";
    KeysOutliveAWeek: "Keys of servers are valid for as long as these say.";
    ValidityOfKeysIgnored: "Keys of servers are valid for ever.";
    WishesOfKeysIgnored: "A notary returns the keys that it has, whatever it is asked for.";
    ProposalsUnchecked: "Whatever another server proposes is signed in the name of a user.";
    InvitesUnchecked: "Whatever another server calls an invite is signed.";
    KnockStateUnchecked: "Clients are shown whatever another server tells of a room that they knock on.";
    DeviceUpdatesForgotten: "An update of a device of another server changes nothing.";
    DeviceUpdatesUnlinked: "An update of a device does not refer to the one before.";
    HierarchiesForgotten: "The hierarchy of another server is asked for each time.";
    InaccessibleRoomsAskedFor: "Rooms that another server calls inaccessible are asked for.";
    TransactionsRenamed: "A transaction that is sent again has another id.";
    TransactionsUnlimited: "A transaction holds whatever waits.";
    HeroesLeftOut: "A joining server that can do without members is told of none.";
    HistoryLimited: "Events of the history are judged by limits that new ones have.";

    // OAuth 2.0.
    RedirectsUnchecked: "A client of OAuth 2.0 may be sent its answers anywhere.";
    LoopbackPortsFixed: "A loopback redirect has no port but that of its registration.";
    CodeVerifiersUnchecked: "An authorization code is worth something without its verifier.";
    RevokedSessionsLive: "The revocation of a token changes nothing.";
    StrangeGrantsRefused: "A client that names an unknown grant type cannot register.";

    // Redactions.
    RedactionsByAnybody: "Everybody may redact what others have sent.";
    OwnRedactionsNeedPower: "Redacting what one has sent needs power.";

    // Requirements that one condition keeps.
    ServerAclsIgnored: "Rooms keep no server out.";
    PortsOfServersCompared: "Access lists are compared with names of servers that have their ports.";
    UnknownConditionsMet: "A condition of a push rule that is not known is met.";
    HistoricalActionsNotify: "The historical actions of push rules notify.";
    PlainChallengesOnly: "The metadata of OAuth 2.0 name no challenge method but the plain one.";
    FileNamesLost: "Uploaded files lose their names.";
    ContentTypesLost: "Uploaded files lose their media types.";
    LargeProfilesTaken: "A profile may be as large as it likes.";
    ProfileKeysUnchecked: "A field of a profile may have any name.";
    IncompatibleVersionsProposed: "A join is proposed to servers that do not know the version of the room.";
    StrangersProposed: "A join is proposed for users of other servers than the one that asks.";
    ServersInRoomOmitted: "A join without members does not tell which servers are in the room.";
    LoginTokensUnprotected: "A login token is given without authentication.";
    LoginTokensUsableAgain: "A login token can be used again and again.";
    DestinationsUnchecked: "Requests that are for another server are answered.";
    WholeProfilesGiven: "Another server that asks for one field of a profile gets them all.";
    GatewaysUnchecked: "A pusher may name any address as its gateway.";
    PushersOfOthersKept: "A device keeps the pushers of those who used it before.";
    DeviceIdsInvented: "The device that a client names when it logs in is another.";
    GuestsChoose: "A guest may choose the id of its device.";
    UserIdsUnchecked: "A user id may have any characters.";
    CrossSigningKeysUnsigned: "Cross-signing keys need no signature of the master key.";
    CrossSigningKeysNamedLikeDevices: "A cross-signing key may have the id of a device.";
    AdditionalCreatorsIgnored: "The additional creators of an upgrade are ignored.";
    TombstonesLikeOtherState: "Closing a room needs no more power than other state, in any version.";
    DeviceUpdatesNotSent: "Other servers are not told of new devices.";
    ReadMarkersWithoutReceipts: "Receipts that come with read markers are ignored.";
}

/// Those mistakes of the room rules that show in what the clients of one server can do. Vectors prove the others.
pub(super) const RULES: &[Mistake] = &[
    Mistake::CreatorJoinsByRule,
    Mistake::CreatorsNotInfinite,
    Mistake::EqualLevelChangeable,
    Mistake::Forgets(Rule::BanLevel),
    Mistake::Forgets(Rule::CreateAdditionalCreators),
    Mistake::Forgets(Rule::InviteByStranger),
    Mistake::Forgets(Rule::InviteLevel),
    Mistake::Forgets(Rule::InviteOfMember),
    Mistake::Forgets(Rule::JoinBanned),
    Mistake::Forgets(Rule::JoinNotAllowed),
    Mistake::Forgets(Rule::KickLevel),
    Mistake::Forgets(Rule::KnockMembership),
    Mistake::Forgets(Rule::KnockRule),
    Mistake::Forgets(Rule::LevelRaised),
    Mistake::Forgets(Rule::LevelsNotIntegers),
    Mistake::Forgets(Rule::LevelsOfCreators),
    Mistake::Forgets(Rule::ListedLevelAbove),
    Mistake::Forgets(Rule::RequiredLevel),
    Mistake::Forgets(Rule::SenderNotJoined),
    Mistake::Forgets(Rule::StateKeyOfOther),
    Mistake::Forgets(Rule::ThirdPartySignature),
    Mistake::Forgets(Rule::UserLevelAbove),
    Mistake::Forgets(Rule::UserLevelRaised),
    Mistake::InviteOfBanned,
    Mistake::InvitedNeedAuthoriser,
    Mistake::InvitedUsersSend,
    Mistake::KickOfEqual,
    Mistake::KnockNotRetractable,
    Mistake::KnockRestrictedUnknown,
    Mistake::LevelsExceeded,
    Mistake::ListedEventsIgnored,
];
