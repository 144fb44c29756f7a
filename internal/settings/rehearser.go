package settings

import (
	"fmt"
	"log/slog"
	"strconv"

	"nightlatch/internal/lazyregexp"
)

// Rehearser is what the environment of the function says that rehearses.
type Rehearser struct {
	// Topic is the ARN of the team's SNS topic, Topics those of others that are notified as well, Watchers those that hear where the team's takes nothing.
	Topic            string
	Topics, Watchers []string
	// Account is the stack's, and Table the name of the table of incidents.
	Account, Table string
	// User is the canary's name in IAM, Bucket what it reads, Secret the ARN of the secret with its key, Function the function in its own network.
	User, Bucket, Secret, Function string
	// Days are those between two scheduled rehearsals; 0 where only a human has one begin.
	Days int
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

var userName = lazyregexp.New(`^[\w+=,.@-]{1,64}$`)

func (s *Rehearser) fields() []field {
	return []field{
		text("TOPIC", "the ARN of an SNS topic", true, topic, &s.Topic),
		list("TOPICS", "ARNs of SNS topics, with commas between them", false, topic, &s.Topics),
		list("WATCHERS", "ARNs of SNS topics, with commas between them", false, topic, &s.Watchers),
		text("ACCOUNT", "a 12-digit account id", true, account, &s.Account),
		text("TABLE", "the name of a DynamoDB table", true, table, &s.Table),
		text("CANARY_USER", "the name of an IAM user", true, userName, &s.User),
		text("CANARY_BUCKET", "the name of a bucket", true, bucketName, &s.Bucket),
		text("CANARY_SECRET", "the ARN of a secret", true, secret, &s.Secret),
		text("CANARY_FUNCTION", "the name of a Lambda function", true, group, &s.Function),
		{"DAYS", false, "a number of days, 0 or more", func(v string) (err error) {
			if s.Days, err = strconv.Atoi(v); err == nil && s.Days < 0 {
				return fmt.Errorf("is not")
			}
			return err
		}, func() string { return strconv.Itoa(s.Days) }},
		logLevel(&s.LogLevel),
	}
}

// ParseRehearser reads the environment, as Parse does the responder's.
func ParseRehearser(environ []string) (Rehearser, error) {
	var s Rehearser
	w := read(s.fields(), environ)
	if err := w.err(); err != nil {
		return Rehearser{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseRehearser reads.
func (s Rehearser) Environ() map[string]string { return write(s.fields()) }
