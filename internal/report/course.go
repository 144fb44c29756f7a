package report

import (
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

const (
	// aroundCourse is how much a picture shows before and after what happened.
	aroundCourse = 15 * time.Minute
	// courseKeys is how many credentials have a colour of their own.
	courseKeys = 4
)

// CourseOf is the question whose answer the page of an incident draws: the minutes around its window, by those who took most.
func CourseOf(r incident.Record) evidence.Course {
	q := evidence.Course{Buckets: r.Alarm.Buckets, From: r.Alarm.From.Add(-aroundCourse).Truncate(time.Minute), To: r.Alarm.To}
	for _, o := range r.Outcomes {
		if o.State == containment.Done && o.At.After(q.To) && o.At.Sub(r.Alarm.To) < 6*time.Hour {
			q.To = o.At
		}
	}
	q.To = q.To.Add(aroundCourse).Truncate(time.Minute)
	actors := slices.DeleteFunc(byBytes(r.Evidence), func(a evidence.Actor) bool { return a.AccessKeyID == "" })
	for _, a := range actors[:min(len(actors), courseKeys)] {
		q.Keys = append(q.Keys, a.AccessKeyID)
	}
	return q
}

// The ground of the picture, in its own units.
const courseWide, courseHigh, courseTop = 600.0, 130.0, 16.0

type (
	// course is the picture of the bytes by minute.
	course struct {
		Bars, Metric  []block
		Window        block
		Most, Step    string
		Ticks         []tick
		Done          []float64
		Threshold     float64 // where it stands; 0 where it says nothing of a bar
		Keys          []keyOf
		Base, TickRow float64
	}
	block struct {
		X, Y, Width, High float64
		Class, Says       string
	}
	tick struct {
		X    float64
		Text string
	}
	// keyOf says whose a colour is.
	keyOf struct{ Class, Name string }
)

// courseIn draws the slots of the incident's course; nil where there are none.
func courseIn(r incident.Record, slots []evidence.Slot) *course {
	q := CourseOf(r)
	span, step := q.To.Sub(q.From), q.Step()
	var most int64
	for _, s := range slots {
		most = max(most, s.Bytes)
	}
	var points []alarm.Point // of the metric, where a bar is a datapoint
	if r.Alarm.Period == step {
		points = slices.DeleteFunc(slices.Clone(r.Alarm.Points), func(p alarm.Point) bool { return p.Start.Before(q.From) || !p.Start.Before(q.To) })
	}
	for _, p := range points {
		most = max(most, p.Bytes)
	}
	if most == 0 || span <= 0 {
		return nil
	}
	x := func(t time.Time) float64 {
		return round(courseWide * max(0, min(1, float64(t.Sub(q.From))/float64(span))))
	}
	high := func(n int64) float64 { return round((courseHigh - courseTop) * float64(n) / float64(most)) }
	c := &course{Most: prose.Bytes(most), Step: "minute", Base: courseHigh, TickRow: courseHigh + 22, Window: block{X: x(r.Alarm.From), Y: courseHigh + 1, Width: max(2, x(r.Alarm.To)-x(r.Alarm.From)), High: 4}}
	if step > time.Minute {
		c.Step = fmt.Sprintf("%d minutes", step/time.Minute)
	}
	colours := map[string]string{}
	for i, key := range q.Keys {
		a := r.Evidence.Actors[slices.IndexFunc(r.Evidence.Actors, func(a evidence.Actor) bool { return a.AccessKeyID == key })]
		class := fmt.Sprintf("key-%d", i)
		if suspectedOf(r, a) {
			class = "bad key-" + fmt.Sprint(i)
		}
		colours[key] = class
		c.Keys = append(c.Keys, keyOf{class, prose.Capital(Who(a))})
	}
	for _, s := range slots {
		y, rest := courseHigh, s.Bytes
		add := func(class, who string, n int64) {
			if n <= 0 {
				return
			}
			y = round(y - high(n))
			c.Bars = append(c.Bars, block{X: x(s.Start), Y: y, Width: max(1, round(x(s.Start.Add(step))-x(s.Start)-0.6)), High: high(n), Class: class,
				Says: s.Start.UTC().Format("15:04") + ": " + prose.Bytes(n) + ", " + who})
		}
		for _, key := range q.Keys {
			add(colours[key], prose.Safe(key), s.ByKey[key])
			rest -= s.ByKey[key]
		}
		add("unknown", "all others", rest)
	}
	for _, p := range points {
		c.Metric = append(c.Metric, block{X: x(p.Start), Y: round(courseHigh - high(p.Bytes)), Width: max(2, round(x(p.Start.Add(step))-x(p.Start))),
			Says: p.Start.UTC().Format("15:04") + ": " + prose.Bytes(p.Bytes) + ", by the metric"})
	}
	for i := range 4 {
		at := q.From.Add(span * time.Duration(i) / 4).Truncate(time.Minute)
		c.Ticks = append(c.Ticks, tick{x(at), at.UTC().Format("15:04")})
	}
	for _, o := range r.Outcomes {
		if o.State == containment.Done && !o.At.Before(q.From) && o.At.Before(q.To) {
			c.Done = append(c.Done, x(o.At))
		}
	}
	if t := r.Alarm.Threshold; t != nil && r.Alarm.Period == step && *t > 0 && *t < float64(most) {
		c.Threshold = round(courseHigh - high(int64(*t)))
	}
	return c
}
