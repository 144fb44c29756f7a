package settings

import "log/slog"

// Enroller is what the enroller's environment says. Which buckets are enrolled stands in the custom resource's properties, and in a
// file beside the code: hundreds of names do not fit an environment, which ends at 4 KB.
type Enroller struct {
	// Topic is the ARN of the team's SNS topic.
	Topic string
	// Trail is the ARN of the trail whose files are asked; "" where there is none. The doctor's checks find it there.
	Trail string
	// ManagementTrail is the ARN of the trail that has the management events; "" where there is no other, or where it is not looked up.
	ManagementTrail string
	// Table is the name of the DynamoDB table in which the functions take turns to notify; "" where they do not.
	Table string
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

func (s *Enroller) fields() []field {
	return []field{
		text("TOPIC", "the ARN of an SNS topic", true, topic, &s.Topic),
		text("TRAIL", "the ARN of a trail", false, trail, &s.Trail),
		text("MANAGEMENT_TRAIL", "the ARN of a trail", false, trail, &s.ManagementTrail),
		text("TABLE", "the name of a DynamoDB table", false, table, &s.Table),
		logLevel(&s.LogLevel),
	}
}

// ParseEnroller reads the enroller's environment, as Parse does the responder's.
func ParseEnroller(environ []string) (Enroller, error) {
	var s Enroller
	w := read(s.fields(), environ)
	if err := w.err(); err != nil {
		return Enroller{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseEnroller reads.
func (s Enroller) Environ() map[string]string { return write(s.fields()) }
