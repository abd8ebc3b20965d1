// A frontend with centrifuge-go. clients/README.md describes its arguments, commands and events.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"sync"

	"github.com/centrifugal/centrifuge-go"
)

type command struct {
	ID      int
	Do      string
	Token   string
	Channel string
	Method  string
	Data    json.RawMessage
}

type fields map[string]any

var output sync.Mutex

func say(line fields) {
	encoded, err := json.Marshal(line)
	if err != nil {
		log.Fatalln(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(encoded, '\n'))
}

func emit(event string, line fields) {
	line["event"] = event
	say(line)
}

var tokens = make(chan string)

func getToken(centrifuge.ConnectionTokenEvent) (string, error) {
	emit("token", fields{})
	return <-tokens, nil
}

func newClient(form, url string) *centrifuge.Client {
	create := centrifuge.NewJsonClient
	if form == "protobuf" {
		create = centrifuge.NewProtobufClient
	}
	client := create(url, centrifuge.Config{GetToken: getToken})
	client.OnConnecting(func(e centrifuge.ConnectingEvent) { emit("connecting", fields{"code": e.Code}) })
	client.OnConnected(func(e centrifuge.ConnectedEvent) { emit("connected", fields{"client": e.ClientID}) })
	client.OnDisconnected(func(e centrifuge.DisconnectedEvent) { emit("disconnected", fields{"code": e.Code}) })
	client.OnError(func(e centrifuge.ErrorEvent) { log.Println(e.Error) })
	return client
}

func subscribe(client *centrifuge.Client, channel string) error {
	subscription, err := client.NewSubscription(channel, centrifuge.SubscriptionConfig{JoinLeave: true})
	if err != nil {
		return err
	}
	subscription.OnSubscribed(func(e centrifuge.SubscribedEvent) {
		emit("subscribed", fields{"wasRecovering": e.WasRecovering, "recovered": e.Recovered})
	})
	subscription.OnUnsubscribed(func(e centrifuge.UnsubscribedEvent) { emit("unsubscribed", fields{"code": e.Code}) })
	subscription.OnPublication(func(e centrifuge.PublicationEvent) {
		emit("publication", fields{"data": json.RawMessage(e.Data), "offset": e.Offset})
	})
	subscription.OnJoin(func(e centrifuge.JoinEvent) { emit("join", fields{"user": e.User}) })
	subscription.OnLeave(func(e centrifuge.LeaveEvent) { emit("leave", fields{"user": e.User}) })
	subscription.OnError(func(e centrifuge.SubscriptionErrorEvent) { log.Println(e.Error) })
	return subscription.Subscribe()
}

func presence(client *centrifuge.Client, channel string) (any, error) {
	result, err := client.Presence(context.Background(), channel)
	users := []string{}
	for _, info := range result.Clients {
		users = append(users, info.User)
	}
	return users, err
}

func history(client *centrifuge.Client, channel string) (any, error) {
	result, err := client.History(context.Background(), channel, centrifuge.WithHistoryLimit(10))
	entries := []fields{}
	for _, entry := range result.Publications {
		entries = append(entries, fields{"data": json.RawMessage(entry.Data), "offset": entry.Offset})
	}
	return entries, err
}

func carryOut(client *centrifuge.Client, it command) (any, error) {
	switch it.Do {
	case "connect":
		client.SetToken(it.Token)
		return nil, client.Connect()
	case "subscribe":
		return nil, subscribe(client, it.Channel)
	case "publish":
		_, err := client.Publish(context.Background(), it.Channel, it.Data)
		return nil, err
	case "presence":
		return presence(client, it.Channel)
	case "history":
		return history(client, it.Channel)
	case "rpc":
		result, err := client.RPC(context.Background(), it.Method, it.Data)
		return json.RawMessage(result.Data), err
	case "token":
		tokens <- it.Token
		return nil, nil
	}
	return nil, errors.New("unknown command " + it.Do)
}

func answer(client *centrifuge.Client, it command) {
	result, err := carryOut(client, it)
	var refused *centrifuge.Error
	switch {
	case errors.As(err, &refused):
		say(fields{"id": it.ID, "error": fields{"code": refused.Code, "message": refused.Message}})
	case err != nil:
		say(fields{"id": it.ID, "error": fields{"code": 0, "message": err.Error()}})
	default:
		say(fields{"id": it.ID, "result": result})
	}
}

func main() {
	client := newClient(os.Args[1], os.Args[2])
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var it command
		if err := json.Unmarshal(lines.Bytes(), &it); err != nil {
			log.Fatalln(err)
		}
		go answer(client, it)
	}
	client.Close()
}
