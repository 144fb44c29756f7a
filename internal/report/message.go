package report

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/prose"
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
	// ID is the same each time that the message is tried, and another one's is another; "" where nobody repeats it.
	ID string
	// Kind is what it is for, and Of are the incidents that it is about; "" and none where it is about the deployment.
	Kind incident.MessageKind
	Of   []incident.Record
	// Place is where that is, as far as it is known.
	Place incident.Place
}

// Of incidents no message is of these kinds: what is told of the deployment, and what only tries the channels.
const (
	Announcement incident.MessageKind = "announcement"
	Test         incident.MessageKind = "test"
)

// String is what people read of it.
func (m Message) String() string { return m.Subject + "\n\n" + m.Body }

// Name is the message's ID, or one that is made for it where it has none.
func (m Message) Name(now time.Time) string {
	if m.ID != "" {
		return m.ID
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", m.Subject, m.Body, now.UnixNano()))
	return fmt.Sprintf("%x", sum[:16])
}

// subjectMost is the most characters of a subject: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const subjectMost = 99

var (
	// plainPlace is what an account id and a region may look like; anything else is an event's claim, and is not repeated.
	plainPlace = lazyregexp.New(`^[a-z0-9-]{1,24}$`)
	// plainAlias is what IAM takes as an alias: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html
	plainAlias = lazyregexp.New(`^[a-z0-9-]{3,63}$`)
)

// aliasMost is how much of an alias a subject holds: what happened has to stand in it too.
const aliasMost = 20

// In is the message with the account and region that it is about, at the end of its subject and of its body: whoever is on call for several
// has to know which. An alias stands behind the account's id, which nobody chooses. What is not known is left out.
func (m Message) In(p incident.Place) Message {
	m.Place = p
	short, long := inShortAndLong(p)
	if len(short) == 0 {
		return m
	}
	end := " (" + strings.Join(short, " ") + ")"
	if most := subjectMost - len(end); len(m.Subject) > most {
		m.Subject = m.Subject[:most-3] + "..."
	}
	m.Subject += end
	m.Body += prose.Capital(strings.Join(long, ", ")) + ".\n"
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
