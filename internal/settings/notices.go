package settings

import "log/slog"

// Notices is what the environment of the function says that tells the team of tampering.
type Notices struct {
	// Topic is the ARN of the team's SNS topic.
	Topic string
	// Watchers are the ARNs of the topics that are told where the team's cannot be, and of what may keep it from hearing.
	Watchers []string
	// Table is the name of the DynamoDB table in which it keeps what is to be told.
	Table string
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

func (s *Notices) fields() []field {
	return []field{
		text("TOPIC", "the ARN of an SNS topic", true, topic, &s.Topic),
		list("WATCHERS", "ARNs of SNS topics, with commas between them", true, topic, &s.Watchers),
		text("TABLE", "the name of a DynamoDB table", true, table, &s.Table),
		logLevel(&s.LogLevel),
	}
}

// ParseNotices reads the environment, as Parse does the responder's.
func ParseNotices(environ []string) (Notices, error) {
	var s Notices
	w := read(s.fields(), environ)
	if err := w.err(); err != nil {
		return Notices{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseNotices reads.
func (s Notices) Environ() map[string]string { return write(s.fields()) }
