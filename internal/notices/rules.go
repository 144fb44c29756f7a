package notices

// Rule says what a rule's events mean, and what to do.
type Rule struct {
	// Name is the rule's, as the stack has it.
	Name string
	// Subject is what happened, in a few words of printable ASCII.
	Subject string
	// Means is one sentence, and Do another.
	Means, Do string
	// Hearing says that it may keep the team from hearing: it is told on both topics.
	Hearing bool
}

// The rules whose events are not told as they come.
const (
	// Deployers is the rule for who takes the role with which the CDK deploys. It is told beside what was deployed.
	Deployers = "Deployers"
	// Deployment is the kind under which the many changes of a deployment are told.
	Deployment = "Deployment"
	// WaysOut is the rule for calls that open a way out of a bucket. Those that name buckets are told where one is watched.
	WaysOut = "WaysOut"
	// Jobs is the rule for calls that open a way out, and may name another bucket than the one that they empty: all are told.
	Jobs = "Jobs"
)

const (
	who     = "Find out who it was: if it was nobody of yours, his credential is stolen, so cut it first. "
	again   = who + "Then deploy again, which puts it back: npx cdk deploy, with the settings of the deployment."
	restore = who + "Then undo it."
)

// Rules are all of them, what weighs most first.
func Rules() []Rule {
	return []Rule{
		{"Subscription", "SUBSCRIPTIONS CHANGED", "Somebody may not hear us any more, or somebody else hears us now.", who + "Then subscribe the address again: deploy again, and confirm the mail.", true},
		{"Topic", "TOPIC CHANGED", "What we publish may not reach you any more.", again, true},
		{"Key", "TOPIC'S KEY CHANGED", "Without its key nothing can be published to a topic.", who + "Then cancel its deletion, or enable it: aws kms cancel-key-deletion, aws kms enable-key.", true},
		{"Queue", "QUEUE CHANGED", "Failed alarms, or notices on their way, may be lost.", again, true},
		{"Mapping", "QUEUE OR STREAM CUT OFF", "The function that tells you of such calls may not be called any more, or the one that keeps case folders.", again, true},
		{"Rule", "RULES CHANGED", "Alarms and calls may not reach Nightlatch any more.", again, true},
		{"Target", "RULES' TARGETS CHANGED", "Alarms and calls may not reach Nightlatch any more.", again, true},
		{"Texts", "TEXT MESSAGES CHANGED", "Texts to the watchers' telephones may be held back, by a limit of what they may cost.", restore, true},
		{"Channel", "CHANNEL'S SECRET CHANGED", "Messages of incidents may go elsewhere, or nowhere; the team's topic is another channel.", who + "Then see what the secret holds, put it back, and run nightlatch test-notify.", true},
		{"Heartbeat", "HEARTBEAT'S SECRET CHANGED", "The sign of life may go elsewhere, so that nobody misses it.", who + "Then see what the secret holds, and put the URL back.", true},
		{"HeartbeatRead", "HEARTBEAT'S SECRET READ", "Whoever knows the URL can send the sign of life himself, while Nightlatch is dead.", who + "Then put another URL into the secret.", true},
		{"CanaryRead", "CANARY'S SECRET READ", "Whoever has the canary's key can have its alarm fire; it reads one bucket of zeros.", who + "Then give the canary another key: deploy with another canaryKey.", false},
		{"CloudTrail", "CLOUDTRAIL CHANGED", "Calls may not be recorded any more, so that nobody is seen.", who + "Then see what records: aws cloudtrail get-trail-status, get-event-selectors.", false},
		{"Alarms", "ALARMS DELETED OR SWITCHED OFF", "Downloads may go on without an alarm.", again, false},
		{"Alarm", "ALARMS CHANGED", "An alarm may fire too late, never, or for nothing; one with a warm-up is silent for hours.", again, false},
		{"Mute", "ALARMS MUTED", "Muted alarms do nothing; those of the buckets still reach the responder, by EventBridge.", who + "Then take the rule away: aws cloudwatch delete-alarm-mute-rule.", false},
		{"Metrics", "REQUEST METRICS CHANGED", "A bucket without request metrics has no alarm.", who + "The daily check makes ours again; deploy again for at once.", false},
		{"Bus", "EVENT BUS CHANGED", "Other accounts may send events that look like calls and alarms of this one.", who + "Then undo it: aws events remove-permission.", false},
		{"Function", "FUNCTIONS CHANGED", "Nightlatch's own code may be another, slower, or not called at all.", again, true},
		{"FunctionPolicy", "FUNCTIONS' POLICIES CHANGED", "Others may call our functions, or those who must, may not.", again, false},
		{"Table", "TABLE OF INCIDENTS CHANGED", "Incidents may be lost, and what is known of them.", again, false},
		{"Cases", "BUCKET OF CASE FOLDERS CHANGED", "Case folders may be lost, or read by others: policy, replication, lifecycle, object lock.", restore, false},
		{"TablePolicy", "TABLE'S POLICY CHANGED", "Others may change incidents.", again, false},
		{"Schedule", "SCHEDULE DELETED", "An open incident may not be followed up.", who + "Then call the responder with the test event, which takes up what is open.", false},
		{"Schedules", "SCHEDULES DELETED", "Open incidents may not be followed up.", again, false},
		{"Log", "LOGS CHANGED", "What Nightlatch did may not be seen any more.", restore, false},
		{"Stack", "STACK CHANGED", "The deployment is being changed or deleted.", who + "If it was your deployment, there is nothing to do.", false},
		{"Role", "ROLES CHANGED", "Our functions may have lost a right, or others may take their roles.", again, false},
		{"Athena", "ATHENA'S WORKGROUP CHANGED", "Questions to the trail may fail.", again, false},
		{"Catalog", "TRAIL'S TABLE CHANGED", "Questions to the trail may be answered from elsewhere.", again, false},
		{"Database", "TRAIL'S DATABASE CHANGED", "Questions to the trail may be answered from elsewhere.", again, false},
		{"Bucket", "TRAIL'S BUCKET CHANGED", "Evidence may be lost, forged, copied out or expire: policy, replication, lifecycle, object lock.", restore, false},
		{"TrailKey", "TRAIL'S KEY CHANGED", "The trail's files may not be read any more.", who + "Then cancel its deletion, or enable it.", false},
		{Jobs, "WAY OUT OF BUCKETS OPENED", "Whole buckets can be read or copied that way without an alarm.", who + "See which bucket it is on, and take it away.", false},
		{WaysOut, "WAY OUT OF A WATCHED BUCKET", "What leaves that way may fire no alarm: a policy, an access point, replication, a website.", who + "See what the bucket allows now, and take it away.", false},
		{"Watch", "NIGHTLATCH ITSELF FAILS", "One of our functions failed, waits, or left events behind; an alarm may not have been answered.", "See the alarm's description and the function's log.", false},
		{Deployment, "DEPLOYMENT CHANGED", "The roles with which the CDK deploys changed Nightlatch.", "If you deployed just now, there is nothing to do. If nobody did: " + who, false},
		{unread, "UNREADABLE NOTICES", "Somebody writes to the queue of notices, or AWS changed the form of its events.", "See who may send to that queue.", true},
	}
}

// ruleOf is what is said of a rule; something that is true of every one where it has no words here.
func ruleOf(name string) (Rule, int) {
	all := Rules()
	for i, r := range all {
		if r.Name == name {
			return r, i
		}
	}
	return Rule{name, "SOMETHING CHANGED", "It may blind or silence Nightlatch.", restore, false}, len(all)
}
