// The service shout: answers calls over a link to each gateway node, and publishes over the same links (links.go).
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	maxStreams = 64
	timeToStop = 10 * time.Second
)

var validID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

type object = map[string]any

// failure is the error of a call: a code from 400 to 999, or 104; a text; whether the same call may succeed later.
type failure struct {
	code      int
	message   string
	temporary bool
}

func (f failure) Error() string { return f.message }

// shout is what the service does. publish waits until a node has stored the publication.
type shout struct {
	publish  func(ctx context.Context, channel string, data object, key string) error
	stopping context.Context
	streams  sync.WaitGroup
	places   chan struct{} // one for each stream
}

// call answers a call. The context ends when nobody waits for the answer any more.
func (s *shout) call(ctx context.Context, method string, data json.RawMessage, user string) (object, error) {
	if method != "say" && method != "stream" {
		return nil, failure{code: 104, message: "the methods are say and stream"}
	}
	var input struct {
		Text string
		ID   *string
	}
	if err := json.Unmarshal(data, &input); err != nil {
		return nil, failure{code: 400, message: err.Error()}
	}
	if length := utf8.RuneCountInString(input.Text); length < 1 || length > 1000 {
		return nil, failure{code: 400, message: "text must have 1 to 1000 characters"}
	}
	id := rand.Text()
	if input.ID != nil {
		id = *input.ID
	}
	if !validID.MatchString(id) {
		return nil, failure{code: 400, message: "id must have 1 to 64 letters, digits and hyphens"}
	}
	text := strings.ToUpper(input.Text)
	if method == "stream" {
		return s.stream(text)
	}
	if err := s.publish(ctx, "news:shouts", object{"id": id, "from": user, "text": text}, "say-"+id); err != nil {
		return nil, err
	}
	return object{"text": text}, nil
}

func (s *shout) stream(text string) (object, error) {
	select {
	case s.places <- struct{}{}:
	default:
		return nil, failure{code: 429, message: "too many streams", temporary: true}
	}
	channel := "stream:" + rand.Text()
	s.streams.Go(func() {
		defer func() { <-s.places }()
		if err := s.write(channel, text); err != nil {
			log.Print(channel, " is not complete: ", err)
		}
	})
	return object{"channel": channel}, nil
}

func (s *shout) write(channel, text string) error {
	var entries []object
	for word := range strings.SplitAfterSeq(text, " ") {
		if word != "" {
			entries = append(entries, object{"kind": "part", "seq": len(entries), "text": word})
		}
	}
	for number, entry := range append(entries, object{"kind": "end", "reason": "done"}) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := s.publish(ctx, channel, entry, channel+"-"+strconv.Itoa(number))
		cancel()
		if err != nil {
			return err
		}
		pause(s.stopping, 50*time.Millisecond) // no pause when the service stops
	}
	return nil
}

// pause waits, but not longer than the context lives.
func pause(ctx context.Context, duration time.Duration) {
	select {
	case <-time.After(duration):
	case <-ctx.Done():
	}
}

func main() {
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	links := &links{byNode: map[string]*link{}, addresses: map[string]bool{}, waiting: make(chan struct{})}
	links.shout = &shout{publish: links.publish, stopping: stopping, places: make(chan struct{}, maxStreams)}
	for _, url := range urls {
		links.add([]string{url + path}, false)
	}
	<-stopping.Done()
	stop()
	time.AfterFunc(timeToStop, func() { os.Exit(0) })
	links.stop()
}
