package sandbox

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nightlatch/internal/containment"
)

// The account of the midnight.
const (
	accountID = "111122223333"
	region    = "eu-west-1"
	engineer  = "mara.lindqvist"
	// threshold is the alarm's, in bytes a minute over the three buckets together.
	threshold = 1 << 30
	// theftSize is what the thief takes, days how long the trail goes back.
	theftSize = 40 << 30
	days      = 15
)

var (
	buckets  = []string{"customer-exports", "finance-ledger", "model-artifacts"}
	midnight = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	// theft is when the thief starts, fired when the alarm fires.
	theft = midnight.Add(7 * time.Minute)
	fired = midnight.Add(13*time.Minute + 41*time.Second)
)

// File is one file of the trail, and when CloudTrail delivers it.
type File struct {
	Path string
	Due  time.Time
}

// Midnight is a world in which somebody is emptying three buckets with a stolen key.
type Midnight struct {
	Account *Account
	Meter   *Meter
	Clock   *Clock
	Files   []File
	// Event is the alarm as CloudWatch sends it to a Lambda.
	Event []byte
	// Stolen is the key that the thief uses, Owner whose it is, Neighbour the owner's other key.
	Stolen, Owner, Neighbour string
	// Events counts the records of the trail.
	Events int
}

// story is a Midnight while it is written.
type story struct {
	*Midnight
	rng    *rand.Rand
	past   map[time.Time][]record // by day
	night  []record
	metric minutes
	roles  map[string]string // unique ids, by name
}

// NewMidnight writes the trail of the midnight into dir. The same seed tells the same story to the byte.
func NewMidnight(seed uint64, dir string) (*Midnight, error) {
	s := &story{
		Midnight: &Midnight{Account: NewAccount(accountID), Clock: NewClock(fired), Owner: engineer},
		rng:      rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), past: map[time.Time][]record{}, metric: minutes{}, roles: map[string]string{},
	}
	s.machines()
	s.people()
	s.owner()
	s.steal()
	s.Meter = s.metric.meter(threshold)
	if err := s.write(dir); err != nil {
		return nil, err
	}
	event, err := s.alarm()
	s.Event = event
	return s.Midnight, err
}

// add puts one call into the trail: into its day, or into the night of the theft.
func (s *story) add(r record) {
	s.metric.add(r)
	s.Events++
	if r.EventTime.Before(midnight.Add(-30 * time.Minute)) {
		day := r.EventTime.Truncate(24 * time.Hour)
		s.past[day] = append(s.past[day], r)
		return
	}
	s.night = append(s.night, r)
}

// every calls visit for each moment at about this distance, from the beginning of the trail until the alarm has fired.
func (s *story) every(distance time.Duration, visit func(time.Time)) {
	for t := midnight.AddDate(0, 0, -days); t.Before(fired.Add(10 * time.Minute)); {
		t = t.Add(distance/2 + time.Duration(s.rng.Int64N(int64(distance))))
		visit(t)
	}
}

func (s *story) bucket() string { return buckets[s.rng.IntN(len(buckets))] }

func (s *story) key(kind string) string {
	return fmt.Sprintf("%s/2026/%02d/part-%05d.parquet", kind, 1+s.rng.IntN(12), s.rng.IntN(20000))
}

func (s *story) size(mean int64) int64 { return mean/2 + s.rng.Int64N(mean) }

// session is a session of a role, whose unique id stays the same from one session to the next.
func (s *story) session(role, name string) identity {
	if s.roles[role] == "" {
		s.roles[role] = keyID("AROA", s.rng)
	}
	return roleSession(s.rng, role, s.roles[role], name)
}

// machines are the roles, dashboards and services that read all day and all night.
func (s *story) machines() {
	for i := range 60 {
		role := fmt.Sprintf("service-%02d", i)
		s.Account.AddRole(role, map[string]string{"team": fmt.Sprintf("team-%d", i%7)})
		c := caller{who: s.session(role, fmt.Sprintf("i-%017x", s.rng.Uint64()>>4)), ip: within(fmt.Sprintf("10.20.%d", i)),
			agent: "aws-sdk-go-v2/1.41.1 os/linux lang/go#1.26", endpoint: "vpce-0a1b2c3d4e5f60718", account: accountID}
		s.every(5*time.Hour, func(t time.Time) { s.add(c.call(s.rng, t, "GetObject", s.bucket(), s.key("app"), s.size(2<<20))) })
	}
	s.Account.AddRole("etl-nightly", map[string]string{"team": "data"})
	s.Account.AddRole("backup-agent", nil)
	for d := range days + 1 {
		start := midnight.AddDate(0, 0, d-days).Add(-10 * time.Minute)
		etl := caller{who: s.session("etl-nightly", "glue-job-"+start.Format("20060102")), ip: within("10.20.200"),
			agent: "aws-sdk-java/2.31.0", endpoint: "vpce-0a1b2c3d4e5f60718", account: accountID}
		for i := range 320 {
			s.add(etl.call(s.rng, start.Add(time.Duration(i)*5*time.Second), "GetObject", buckets[0], s.key("exports"), s.size(6<<20)))
		}
	}
	backup := caller{who: s.session("backup-agent", "backup"), ip: within("10.20.201"), agent: "Boto3/1.40.2 Python/3.13", endpoint: "vpce-0a1b2c3d4e5f60718", account: accountID}
	s.every(6*time.Minute, func(t time.Time) {
		s.add(backup.call(s.rng, t, "GetObject", s.bucket(), s.key("ledger"), s.size(4<<20)))
	})
	for i := range 12 {
		name := fmt.Sprintf("svc-dashboard-%02d", i)
		key := keyID("AKIA", s.rng)
		s.Account.AddUser(name, nil, Key{ID: key, Status: containment.Active})
		c := caller{who: iamUser(s.rng, name, key), ip: always("192.0.2.17"), agent: "aws-sdk-js/3.900.0 os/linux"}
		s.every(10*time.Minute, func(t time.Time) { s.add(c.call(s.rng, t, "GetObject", s.bucket(), s.key("kpi"), s.size(300<<10))) })
	}
	s.strangers()
}

// strangers read without being an IAM user or role of the account.
func (s *story) strangers() {
	replication := caller{who: identity{Type: "AWSService", InvokedBy: "replication.s3.amazonaws.com"}, ip: always("replication.s3.amazonaws.com"), agent: "replication.s3.amazonaws.com"}
	s.every(30*time.Minute, func(t time.Time) {
		s.add(replication.call(s.rng, t, "GetObject", s.bucket(), s.key("ledger"), s.size(1<<20)))
	})
	cdn := caller{who: identity{Type: "AWSAccount", PrincipalID: "EH1HDMB1FH2TC", AccountID: "CloudFront"}, ip: within("130.176.9"), agent: "Amazon CloudFront"}
	s.every(15*time.Minute, func(t time.Time) {
		s.add(cdn.call(s.rng, t, "GetObject", buckets[2], s.key("public"), s.size(80<<10)))
	})
	partner := caller{who: identity{Type: "AWSAccount", PrincipalID: keyID("AROA", s.rng) + ":partner-sync", AccountID: "999988887777"}, ip: within("203.0.114"), agent: "Boto3/1.40.2"}
	s.every(2*time.Hour, func(t time.Time) {
		s.add(partner.call(s.rng, t, "GetObject", buckets[0], s.key("partner"), s.size(700<<10)))
	})
}

// people work by day, from the office or from home.
func (s *story) people() {
	for i := range 230 {
		name := fmt.Sprintf("person-%03d", i)
		key := keyID("AKIA", s.rng)
		s.Account.AddUser(name, nil, Key{ID: key, Status: containment.Active})
		c := caller{who: iamUser(s.rng, name, key), agent: "aws-cli/2.31.4 md/prompt#off"}
		for d := range days {
			day := midnight.AddDate(0, 0, d-days)
			if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday || s.rng.IntN(4) > 0 {
				continue
			}
			c.ip = within("203.0.113")
			if s.rng.IntN(3) == 0 {
				c.ip = within(fmt.Sprintf("198.18.%d", i))
			}
			for range 1 + s.rng.IntN(6) {
				s.add(c.call(s.rng, day.Add(8*time.Hour+time.Duration(s.rng.Int64N(int64(9*time.Hour)))), "GetObject", s.bucket(), s.key("reports"), s.size(3<<20)))
			}
		}
	}
	for i := range 25 {
		role := "AWSReservedSSO_Analyst_4f1c9a0b2d3e4f50"
		s.Account.AddRole(role, nil)
		c := caller{who: s.session(role, fmt.Sprintf("analyst-%02d", i)), ip: within("203.0.113"), agent: "S3Console/0.4"}
		for d := range days {
			s.add(c.call(s.rng, midnight.AddDate(0, 0, d-days).Add(9*time.Hour+time.Duration(s.rng.Int64N(int64(8*time.Hour)))), "GetObject", s.bucket(), s.key("reports"), s.size(1<<20)))
		}
	}
}

// owner is the engineer: one key for the laptop, last used days ago from the office, another for a nightly job.
func (s *story) owner() {
	s.Stolen, s.Neighbour = keyID("AKIA", s.rng), keyID("AKIA", s.rng)
	s.Account.AddUser(engineer, map[string]string{"team": "data"}, Key{ID: s.Stolen, Status: containment.Active}, Key{ID: s.Neighbour, Status: containment.Active})
	laptop := caller{who: iamUser(s.rng, engineer, s.Stolen), ip: within("203.0.113"), agent: "aws-cli/2.31.4 md/prompt#off"}
	for _, ago := range []int{13, 9, 6, 4} {
		for range 8 {
			at := midnight.AddDate(0, 0, -ago).Add(9*time.Hour + time.Duration(s.rng.Int64N(int64(8*time.Hour))))
			s.add(laptop.call(s.rng, at, "GetObject", s.bucket(), s.key("reports"), s.size(5<<20)))
		}
	}
	job := laptop
	job.who.AccessKeyID, job.ip = s.Neighbour, within("203.0.113")
	for d := range days {
		s.add(job.call(s.rng, midnight.AddDate(0, 0, d-days).Add(22*time.Hour), "GetObject", buckets[1], s.key("reports"), s.size(1<<20)))
	}
}

// steal is the theft: the buckets are listed, then their objects fetched as fast as the line gives, for five minutes.
func (s *story) steal() {
	thief := caller{who: iamUser(s.rng, engineer, s.Stolen), ip: always("198.51.100.77"), agent: "aws-cli/2.31.4 md/installer#exe md/prompt#off os/linux#6.16.8+kali-amd64"}
	thief.who.PrincipalID = s.principalOf(engineer)
	at := theft
	for _, b := range buckets {
		for range 4 {
			s.add(thief.call(s.rng, at, "ListObjects", b, "", s.size(200<<10)))
			at = at.Add(time.Second)
		}
	}
	end := theft.Add(5 * time.Minute)
	for left := int64(theftSize); left > 0; {
		n := min(s.size(14<<20), left)
		done := float64(theftSize-left) / theftSize
		when := at.Add(time.Duration(done * float64(end.Sub(at)-time.Second)))
		bucket := buckets[min(int(done*float64(len(buckets))), len(buckets)-1)]
		s.add(thief.call(s.rng, when, "GetObject", bucket, s.key("exports"), n))
		left -= n
	}
}

// principalOf is the user id that a user's earlier records show.
func (s *story) principalOf(user string) string {
	for _, day := range s.past {
		for _, r := range day {
			if r.UserIdentity.UserName == user {
				return r.UserIdentity.PrincipalID
			}
		}
	}
	return ""
}

// write puts the past into one file a day, long delivered, and the night into a file for each five minutes of delivery. CloudTrail is two to
// seven minutes late, in no order, and now and then delivers a record twice.
func (s *story) write(dir string) error {
	for day, records := range s.past {
		// A stamp between the five minutes, so that no file of the night has the same name.
		if err := s.file(dir, day.Add(23*time.Hour+57*time.Minute), day, records); err != nil {
			return err
		}
	}
	late := map[time.Time][]record{}
	for _, r := range s.night {
		for range 1 + s.rng.IntN(50)/49 {
			due := r.EventTime.Add(2*time.Minute + time.Duration(s.rng.Int64N(int64(5*time.Minute)))).Truncate(5 * time.Minute).Add(5 * time.Minute)
			late[due] = append(late[due], r)
		}
	}
	for _, due := range slices.SortedFunc(maps.Keys(late), time.Time.Compare) {
		records := late[due]
		s.rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		if err := s.file(dir, due, due, records); err != nil {
			return err
		}
	}
	slices.SortFunc(s.Files, func(x, y File) int { return x.Due.Compare(y.Due) })
	return nil
}

func (s *story) file(dir string, stamp, due time.Time, records []record) error {
	name := fmt.Sprintf("%s_CloudTrail_%s_%s_%016x.json.gz", accountID, region, stamp.Format("20060102T1504Z"), stamp.Unix())
	path := filepath.Join(dir, "AWSLogs", accountID, "CloudTrail", region, stamp.Format("2006/01/02"), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(z).Encode(map[string]any{"Records": records}); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	s.Files = append(s.Files, File{Path: path, Due: due})
	return f.Close()
}
