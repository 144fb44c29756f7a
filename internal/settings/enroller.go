package settings

import (
	"log/slog"
	"strconv"
)

// Enroller is what the enroller's environment says. Which buckets are enrolled stands in the custom resource's properties:
// hundreds of names do not fit an environment, which ends at 4 KB.
type Enroller struct {
	// Topic is the ARN of the team's SNS topic.
	Topic string
	// EveryBucket is whether buckets are enrolled that are found by a daily look or by their creation.
	EveryBucket bool
	// FilterID is the request-metrics configuration that such a bucket shall have.
	FilterID string
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

func (s *Enroller) fields() []field {
	return []field{
		text("TOPIC", "the ARN of an SNS topic", true, topic, &s.Topic),
		text("FILTER_ID", "the id of a request-metrics configuration", false, filter, &s.FilterID),
		{"EVERY_BUCKET", false, "true or false", func(v string) error {
			if v != "true" && v != "false" {
				return strconv.ErrSyntax
			}
			s.EveryBucket = v == "true"
			return nil
		}, func() string { return strconv.FormatBool(s.EveryBucket) }},
		logLevel(&s.LogLevel),
	}
}

// ParseEnroller reads the enroller's environment, as Parse does the responder's.
func ParseEnroller(environ []string) (Enroller, error) {
	s := Enroller{FilterID: OwnFilterID}
	if err := read(s.fields(), environ); err != nil {
		return Enroller{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseEnroller reads.
func (s Enroller) Environ() map[string]string { return write(s.fields()) }
