package report

import (
	"regexp"
	"strings"
	"time"

	"nightlatch/internal/incident"
)

// Message is one report, ready to be sent.
type Message struct {
	// Subject is printable ASCII, under 100 characters, on one line: what SNS takes as the subject of an e-mail.
	// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	Subject string
	// Body is plain text; everything that a caller could choose in it is escaped.
	Body string
	// Until is when it may not be true any more, because others may have changed what it is about; zero is never.
	Until time.Time
}

// subjectMost is the most characters of a subject: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const subjectMost = 99

var (
	// plainPlace is what an account id and a region may look like; anything else is an event's claim, and is not repeated.
	plainPlace = regexp.MustCompile(`^[a-z0-9-]{1,24}$`)
	// plainAlias is what IAM takes as an alias: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html
	plainAlias = regexp.MustCompile(`^[a-z0-9-]{3,63}$`)
)

// aliasMost is how much of an alias a subject holds: what happened has to stand in it too.
const aliasMost = 20

// In is the message with the account and region that it is about, at the end of its subject and of its body: whoever is on call for several
// has to know which. An alias stands behind the account's id, which nobody chooses. What is not known is left out.
func (m Message) In(p incident.Place) Message {
	short, long := inShortAndLong(p)
	if len(short) == 0 {
		return m
	}
	end := " (" + strings.Join(short, " ") + ")"
	if most := subjectMost - len(end); len(m.Subject) > most {
		m.Subject = m.Subject[:most-3] + "..."
	}
	m.Subject += end
	m.Body += capital(strings.Join(long, ", ")) + ".\n"
	return m
}

// inShortAndLong names a place for a subject and for a text; what is not known is left out.
func inShortAndLong(p incident.Place) (short, long []string) {
	if plainPlace.MatchString(p.AccountID) {
		short, long = append(short, p.AccountID), append(long, "account "+p.AccountID)
		if plainAlias.MatchString(p.Alias) {
			long[0] += ", alias " + p.Alias
			if len(p.Alias) > aliasMost {
				p.Alias = p.Alias[:aliasMost-3] + "..."
			}
			short = append(short, p.Alias)
		}
	}
	if plainPlace.MatchString(p.Region) {
		short, long = append(short, p.Region), append(long, "region "+p.Region)
	}
	return short, long
}

// flags are what a printed command needs so that it finds the deployment from any machine.
func flags(p incident.Place) []string {
	if !plainPlace.MatchString(p.Region) {
		return nil
	}
	return []string{"--region", p.Region}
}
