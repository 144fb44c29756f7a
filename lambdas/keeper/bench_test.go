package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/casefolder"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/report"
	"nightlatch/internal/report/html"
)

const benchActors, benchObjects = 10, 100_000

// crowd is an incident of ten actors, each with as many origins and agents as a record keeps.
func crowd() incident.Record {
	r := told(opened(theft))
	one := r.Evidence.Actors[0]
	r.Evidence.Actors, r.Alarm.Confirmed = nil, true
	for i := range benchActors {
		a := one
		a.Kind, a.AccessKeyID, a.UserName, a.Share, a.Objects = actor.IAMUserKey, fmt.Sprintf("AKIAEXAMPLESTOLEN%03d", i), fmt.Sprintf("mara-%d", i), new(0.1), benchObjects/benchActors
		a.Calls, a.Buckets = map[string]int64{"GetObject": benchObjects / benchActors}, map[string]int64{"exports": 100}
		for j := range evidence.MaxDetails {
			a.Origins = append(a.Origins, evidence.Origin{Network: fmt.Sprintf("198.51.%d.0/24", i*evidence.MaxDetails+j), Bytes: 5, Calls: 5, Familiar: new(false)})
			a.Agents = append(a.Agents, fmt.Sprintf("[aws-cli/2.31.%d Python/3.13.%d Linux/6.1 exe/x86_64]", i, j))
		}
		r.Evidence.Actors = append(r.Evidence.Actors, a)
		o := r.Outcomes[0]
		o.Target, o.AccessKeyID = a.AccessKeyID, a.AccessKeyID
		r.Outcomes = append(r.Outcomes, o)
	}
	for i := range 60 {
		r.Note(noon.Add(time.Duration(i)*time.Second), "a line of the log as long as they are, with a sentence or two of what was done and why")
	}
	return r
}

// nowhere is a shelf that keeps nothing.
type nowhere struct{ page int }

func (n *nowhere) Get(context.Context, string) ([]byte, string, error) { return nil, "", nil }

func (n *nowhere) Put(_ context.Context, name string, fill func(io.Writer) error) (string, error) {
	var b counted
	err := fill(&b)
	if name == "page.html" {
		n.page = int(b)
	}
	return "v", err
}

type counted int

func (c *counted) Write(b []byte) (int, error) { *c += counted(len(b)); return len(b), nil }

// hwm is the most memory that the process has held since it was forgotten, of all kinds, in MiB.
func hwm(b *testing.B) (mib float64) {
	text, err := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return float64(kb) / 1024
		}
	}
	b.Skip("SKIPPED: the system does not say how much memory was held: ", err)
	return 0
}

// BenchmarkFolder prints what the page of an incident of ten actors takes, and its whole folder with a list of 100,000 objects: without S3, and without what the trail takes.
func BenchmarkFolder(b *testing.B) {
	r := crowd()
	var slots []evidence.Slot
	for i := range 40 {
		s := evidence.Slot{Start: noon.Add(time.Duration(i-15) * time.Minute), Bytes: 1000, ByKey: map[string]int64{}}
		for _, k := range report.CourseOf(r).Keys {
			s.ByKey[k] = 100
		}
		slots = append(slots, s)
	}
	suspects := posture.Bucket{Name: "exports", Account: ours}.Suspects()
	for i := range benchActors {
		suspects = append(suspects, posture.User{Name: fmt.Sprintf("mara-%d", i)}.Suspects(noon)...)
	}
	each := func(_ context.Context, _ evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		for i := range benchObjects {
			err := do(evidence.Row{"bucket": "exports", "object": fmt.Sprintf("=customers/%04d/statement-%07d.parquet", i%5000, i), "version": "", "name": "GetObject", "destination": "", "access_key_id": key,
				"principal_id": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + ours + ":user/mara", "account_id": ours, "invoked_by": "", "vpc_endpoint": "", "signing": "header", "source_ip": "198.51.100.7",
				"times": "1", "bytes": "1.0E3", "unsized": "0", "torn": "0", "first_seen": fmt.Sprint(noon.Unix()), "last_seen": fmt.Sprint(noon.Unix())})
			if err != nil {
				return evidence.Answer{}, err
			}
		}
		return evidence.Answer{}, nil
	}
	shelf := &nowhere{}
	from := casefolder.Sources{Each: each, Draw: func(context.Context, incident.Record) ([]evidence.Slot, error) { return slots, nil },
		Look: func(context.Context, incident.Record) []posture.Suspect { return suspects }}
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak is forgotten: proc_pid_clear_refs(5)
	before := hwm(b)
	var page, folder time.Duration
	for b.Loop() {
		begin := time.Now()
		_, err := html.Page(r, slots, suspects)
		page += time.Since(begin)
		begin = time.Now()
		wrote, also := casefolder.Keep(b.Context(), b.Context(), shelf, r, from)
		if folder += time.Since(begin); !wrote || err != nil || also != nil {
			b.Fatal(errors.Join(err, also))
		}
	}
	b.ReportMetric(float64(page.Microseconds())/1000/float64(b.N), "page-ms")
	b.ReportMetric(float64(shelf.page)/1024, "page-KiB")
	b.ReportMetric(float64(folder.Microseconds())/1000/float64(b.N), "folder-ms")
	b.ReportMetric(before, "MiB-before")
	b.ReportMetric(hwm(b), "MiB-at-most")
}
