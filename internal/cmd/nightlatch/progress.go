package main

import (
	"fmt"
	"io"
	"time"
)

// progress says how much is done, and how long the rest may take: after two seconds, and then every few seconds.
type progress struct {
	out   io.Writer
	what  string
	began time.Time
	said  time.Time
}

// patient is how long nothing is said.
const patient = 2 * time.Second

func (p *progress) say(what string, done, of int) {
	now := time.Now()
	if p.what != what || done == 0 {
		p.what, p.began, p.said = what, now, now
	}
	if done == 0 || done == of || now.Sub(p.said) < patient {
		return
	}
	p.said = now
	fmt.Fprintf(p.out, "%d of %d %s%s\n", done, of, what, left(now.Sub(p.began), done, of))
}

// left says how long the rest takes, if it takes as long a piece as what is done.
func left(took time.Duration, done, of int) string {
	rest := time.Duration(float64(took) / float64(done) * float64(of-done))
	switch {
	case rest < 10*time.Second:
		rest = max(rest.Round(time.Second), time.Second)
	case rest < 2*time.Minute:
		rest = rest.Round(5 * time.Second)
	default:
		rest = rest.Round(time.Minute)
	}
	text := rest.String()
	if rest >= 2*time.Minute {
		text = fmt.Sprintf("%d min", rest/time.Minute)
	}
	return ", about " + text + " left"
}
