package backtest

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// The pictures are drawn on a ground of so many units, and scaled to the reader's width.
const (
	wide, left, right  = 480.0, 8.0, 8.0
	rowHigh, chartHigh = 34.0, 150.0
	// mostBins is how many days, or spans of days, a picture has side by side.
	mostBins = 62
	// mostCharts is how many of a result's buckets have pictures of their own: those with most alarms.
	mostCharts = 12
)

// Page is the result as one HTML file, which needs nothing else and runs no script. What others chose in it is harmless.
func Page(r Result) ([]byte, error) {
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, r.page())
	return out.Bytes(), err
}

type (
	page struct {
		From, To, Since string
		Watched         string
		Sums            []named
		Policies        []string
		Strip           strip
		Charts          []chart
		More            int // buckets without pictures
		AtMost          string
		Buckets         []Row
		Principals      []Row
		Alarms          []alarmView
		Limits          []string
	}
	named struct{ Name, Says string }
	table struct {
		Policies []string
		Rows     []Row
	}
	alarmView struct {
		At, Bucket, Threshold, Most, Lasted string
		Judged                              []judgedView
	}
	judgedView struct {
		Policy   string
		Decision Decision
		Says     string
		Steps    []string
	}
	// strip is the picture of alarms by day and bucket.
	strip struct {
		High  float64
		Rows  []stripRow
		Ticks []tick
	}
	stripRow struct {
		Name    string
		Y, Line float64
		Marks   []mark
	}
	// mark is a square about X and Y, or a circle.
	mark struct {
		X, Y, TextY, RectX, RectY float64
		Class                     Decision
		Contained                 bool
		Count                     int
		Says                      string
	}
	tick struct {
		X    float64
		Text string
	}
	// chart is the picture of one bucket's datapoints against a threshold.
	chart struct {
		Bucket, Period, Says, Setting string
		High, Base                    float64
		Bars                          []bar
		Lines                         []lineView
		Grid                          []gridLine
		Ticks                         []tick
	}
	bar struct {
		X, Y, W, H float64
		Class      string
		Says       string
	}
	lineView struct {
		Y, X, TextY         float64
		Anchor, Class, Says string
	}
	gridLine struct {
		Y    float64
		Text string
	}
)

// ByBucket and ByPrincipal are the tables.
func (p page) ByBucket() table    { return table{p.Policies, p.Buckets} }
func (p page) ByPrincipal() table { return table{p.Policies, p.Principals} }

func (r Result) page() page {
	p := page{From: r.From.Format(stamp), To: r.To.Format(stamp), Watched: prose.Plural(int64(len(r.Series)), "bucket"), AtMost: times(r.AtMost), Limits: r.Limits()}
	if r.Since.After(r.From) {
		p.Since = r.Since.Format(stamp)
	}
	for n, name := range r.Policies {
		p.Policies = append(p.Policies, prose.Safe(name))
		p.Sums = append(p.Sums, named{prose.Safe(name), r.Sum(n).Sentence()})
	}
	days := r.bins()
	rows := r.Buckets()
	p.Strip = r.strip(days, rows)
	proposals := r.Propose(r.AtMost)
	for i, row := range rows {
		if i >= mostCharts {
			p.More = len(rows) - mostCharts
			break
		}
		for _, proposal := range proposals {
			if proposal.Bucket == row.Name {
				p.Charts = append(p.Charts, r.chart(days, proposal))
			}
		}
	}
	for _, row := range rows {
		row.Name = prose.Safe(row.Name)
		p.Buckets = append(p.Buckets, row)
	}
	for _, row := range r.Principals() {
		row.Name = prose.Safe(row.Name)
		p.Principals = append(p.Principals, row)
	}
	for _, a := range r.Alarms {
		p.Alarms = append(p.Alarms, r.alarmView(a))
	}
	return p
}

func (r Result) alarmView(a Alarm) alarmView {
	v := alarmView{a.At.Format(stamp), prose.Safe(a.Bucket), a.Threshold.String(), prose.Bytes(a.Most), span(a.Until.Sub(a.At)), nil}
	for n, j := range a.Judged {
		one := judgedView{Policy: prose.Safe(r.Policies[n]), Decision: j.Decision}
		if n == 0 {
			one.Says = j.Says()
		}
		for _, s := range j.Steps {
			one.Steps = append(one.Steps, s.Says())
		}
		v.Judged = append(v.Judged, one)
	}
	return v
}

// bins are the days of the result, or spans of days where they are many.
type bins struct {
	first time.Time
	each  time.Duration
	n     int
}

func (r Result) bins() bins {
	first := r.From
	if r.Since.After(first) {
		first = r.Since
	}
	first = first.Truncate(settings.Day)
	days := int(r.To.Sub(first)/settings.Day) + 1
	each := (days + mostBins - 1) / mostBins
	return bins{first, time.Duration(each) * settings.Day, (days + each - 1) / each}
}

// of is the bin of a time; -1 outside them.
func (b bins) of(t time.Time) int {
	if t.Before(b.first) {
		return -1
	}
	if i := int(t.Sub(b.first) / b.each); i < b.n {
		return i
	}
	return -1
}

func (b bins) width() float64        { return (wide - left - right) / float64(b.n) }
func (b bins) x(i int) float64       { return round(left + float64(i)*b.width()) }
func (b bins) begin(i int) time.Time { return b.first.Add(time.Duration(i) * b.each) }
func (b bins) says(i int) string {
	if b.each > settings.Day {
		return b.begin(i).Format(time.DateOnly) + " to " + b.begin(i+1).Add(-settings.Day).Format(time.DateOnly)
	}
	return b.begin(i).Format(time.DateOnly)
}

// ticks are some of the days, with room for their names.
func (b bins) ticks() (all []tick) {
	every := max(1, int(math.Ceil(62/b.width())))
	for i := 0; i < b.n && b.x(i) < wide-right-42; i += every {
		all = append(all, tick{round(b.x(i) + 1), b.begin(i).Format("2 Jan")})
	}
	return all
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

func (r Result) strip(days bins, rows []Row) strip {
	s := strip{Ticks: days.ticks()}
	for _, row := range rows {
		if row.Alarms == 0 {
			continue
		}
		y := float64(len(s.Rows))*rowHigh + 14
		one := stripRow{Name: prose.Safe(row.Name), Y: y, Line: y + 12}
		type day struct {
			count     int
			strongest Decision
			says      []string
		}
		found := map[int]*day{}
		for _, a := range r.Alarms {
			i := days.of(a.At)
			if a.Bucket != row.Name || i < 0 {
				continue
			}
			if found[i] == nil {
				found[i] = &day{strongest: Left}
			}
			d := found[i]
			d.count++
			if now := a.Judged[0].Decision; weight(now) > weight(d.strongest) {
				d.strongest = now
			}
			d.says = append(d.says, a.At.Format("15:04")+" "+string(a.Judged[0].Decision))
		}
		for i := range days.n {
			if d := found[i]; d != nil {
				m := mark{X: round(days.x(i) + days.width()/2), Y: y + 12, Class: d.strongest, Count: d.count, TextY: y + 15.5, Contained: d.strongest == Contained,
					Says: fmt.Sprintf("%s, %s: %s", one.Name, days.says(i), strings.Join(d.says[:min(len(d.says), 8)], ", "))}
				m.RectX, m.RectY = round(m.X-7), m.Y-7
				one.Marks = append(one.Marks, m)
			}
		}
		s.Rows = append(s.Rows, one)
	}
	s.High = float64(len(s.Rows))*rowHigh + 34
	return s
}

func (r Result) chart(days bins, p Proposal) chart {
	i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Bucket == p.Bucket })
	most := make([]int64, days.n)
	for _, l := range levels(r.Series[i].Minutes, p.Now) {
		for at, end := days.of(l.first.Add(-time.Minute)), days.of(l.last.Add(-time.Minute)); at >= 0 && at <= max(at, end); at++ {
			most[at] = max(most[at], l.bytes)
			if end < 0 || at >= end {
				break
			}
		}
	}
	highest, lowest := max(p.Now.Bytes, p.Threshold.Bytes), min(p.Now.Bytes, p.Threshold.Bytes)
	for _, n := range most {
		highest = max(highest, n)
		if n > 0 {
			lowest = min(lowest, n)
		}
	}
	// A logarithmic scale, from a quarter of the least to twice the most.
	low, high := math.Log2(float64(max(lowest, 4096)))-2, math.Log2(float64(highest))+1
	const top, base = 14.0, chartHigh - 22
	y := func(n int64) float64 {
		return round(base - (base-top)*max(math.Log2(float64(max(n, 1)))-low, 0)/(high-low))
	}
	c := chart{Bucket: prose.Safe(p.Bucket), Period: map[time.Duration]string{settings.Minute: "a minute", settings.Hour: "an hour", settings.Day: "24 hours"}[p.Now.Period], High: chartHigh, Base: base, Ticks: days.ticks(),
		Setting: prose.Safe(p.Bucket) + "=" + p.Threshold.String(), Says: fmt.Sprintf("%s fires %s here; %s fired %s. %s", p.Threshold, times(p.Fires), p.Now, times(p.FiresNow), r.Misses(p))}
	for at, n := range most {
		if n == 0 {
			continue
		}
		b := bar{X: round(days.x(at) + days.width()*0.1), Y: y(n), W: round(max(days.width()*0.8, 1)), Class: "under", Says: days.says(at) + ": at most " + prose.Bytes(n)}
		if b.H = round(base - b.Y); n > p.Now.Bytes {
			b.Class = "over"
		}
		c.Bars = append(c.Bars, b)
	}
	now, proposed := y(p.Now.Bytes), y(p.Threshold.Bytes)
	// A name stands above its line, but that of the lower of two lines that are close, which stands below.
	const above, below, nameHigh = -3, 12, 14
	nowName, proposedName := now+above, proposed+above
	switch {
	case math.Abs(now-proposed) > nameHigh:
	case now > proposed:
		nowName = now + below
	case now < proposed:
		proposedName = proposed + below
	}
	c.Lines = []lineView{{now, left, nowName, "start", "now", "now " + p.Now.String()}, {proposed, wide - right, proposedName, "end", "proposed", "proposed " + p.Threshold.String()}}
	for power := math.Ceil(low/5) * 5; power < high; power += 5 {
		g := gridLine{y(int64(math.Exp2(power))), prose.Bytes(int64(math.Exp2(power)))}
		if slices.ContainsFunc(c.Lines, func(l lineView) bool { return math.Abs(l.Y-g.Y+nameHigh/2) <= nameHigh }) {
			g.Text = "" // the line would go through it
		}
		c.Grid = append(c.Grid, g)
	}
	return c
}
