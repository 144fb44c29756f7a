package settings

import "log/slog"

// Hub is what the environment of the hub's function says.
type Hub struct {
	// Topic is the ARN of the SNS topic of the hub's team, and Topics are those of others that are notified as well.
	Topic  string
	Topics []string
	// Watchers are the ARNs of the topics that are told where the team's takes nothing, and of what may keep the hub from hearing.
	Watchers []string
	// Accounts are those whose deployments may send.
	Accounts []string
	// Table is the name of the DynamoDB table in which it keeps what it has heard.
	Table string
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

func (s *Hub) fields() []field {
	return []field{
		text("TOPIC", "the ARN of an SNS topic", true, topic, &s.Topic),
		list("TOPICS", "ARNs of SNS topics, with commas between them", false, topic, &s.Topics),
		list("WATCHERS", "ARNs of SNS topics, with commas between them", true, topic, &s.Watchers),
		list("ACCOUNTS", "12-digit account ids, with commas between them", true, account, &s.Accounts),
		text("TABLE", "the name of a DynamoDB table", true, table, &s.Table),
		logLevel(&s.LogLevel),
	}
}

// ParseHub reads the environment, as Parse does the responder's.
func ParseHub(environ []string) (Hub, error) {
	var s Hub
	w := read(s.fields(), environ)
	if err := w.err(); err != nil {
		return Hub{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseHub reads.
func (s Hub) Environ() map[string]string { return write(s.fields()) }
