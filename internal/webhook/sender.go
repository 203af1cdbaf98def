package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/abn-studio/studio/internal/text"
)

// Within is how long an attempt may take, from the name's look-up to the answer's head.
const Within = 15 * time.Second

// ErrAddress is the error of an address that is never sent to.
var ErrAddress = errors.New("it is an address of a private network, to which this studio does not send: its operator allows some with --webhook-private")

// errPlain is the error of http:// to where others could read along.
var errPlain = errors.New("http:// would let others read along: use https://")

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	secure, plain *http.Client
}

// Options are what an operator may set.
type Options struct {
	// Private are the networks that are sent to although they are not of the public internet, also without TLS.
	Private []netip.Prefix
	// Roots are whom TLS trusts; nil: whom the system trusts.
	Roots *x509.CertPool
}

// NewSender returns a sender that dials no address but of the public internet and of o.Private. The address is checked when the connection is
// made, after the look-up of its name, so that a name cannot be made to mean another one in between.
func NewSender(o Options) *Sender {
	var v4, v6 []netip.Prefix
	for _, p := range o.Private {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	secure := func(network, address string, c syscall.RawConn) error {
		if err := guard.Safe(network, address, c); err != nil {
			return ErrAddress
		}
		return nil
	}
	plain := func(network, address string, c syscall.RawConn) error {
		if err := secure(network, address, c); err != nil {
			return err
		}
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		for _, p := range o.Private {
			if p.Contains(to.Addr().Unmap()) {
				return nil
			}
		}
		return errPlain
	}
	client := func(control func(network, address string, c syscall.RawConn) error) *http.Client {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil // a proxy would dial for us, and look at no address
		transport.DialContext = (&net.Dialer{Timeout: Within, Control: control}).DialContext
		transport.MaxIdleConnsPerHost = 1
		transport.MaxResponseHeaderBytes = 64 << 10
		if o.Roots != nil {
			transport.TLSClientConfig.RootCAs = o.Roots
		}
		return &http.Client{
			Transport: transport, Timeout: Within,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Sender{secure: client(secure), plain: client(plain)}
}

// Send makes one attempt to send a body under an id, signed with a secret as annotator.Service.AddWebhook makes them. It returns the status of the
// answer, 0 where none came, and an error unless it is a 2xx; the error is fit for whoever made the webhook, and says nothing that they could
// not find out from outside. Of the answer's body nothing is kept.
func (s *Sender) Send(ctx context.Context, address, secret, id string, at time.Time, body []byte) (status int, err error) {
	signer, err := standard.NewWebhook(secret)
	if err != nil {
		return 0, err
	}
	signature, err := signer.Sign(id, at, body)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "ABN-Studio")
	request.Header.Set(standard.HeaderWebhookID, id)
	request.Header.Set(standard.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	request.Header.Set(standard.HeaderWebhookSignature, signature)
	client := s.plain
	if request.URL.Scheme == "https" {
		client = s.secure
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, told(ctx, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return answer.StatusCode, refusal(answer.StatusCode)
	}
	return answer.StatusCode, nil
}

// told is an error of the network without addresses that the name was looked up to.
func told(ctx context.Context, err error) error {
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrAddress):
		return ErrAddress
	case errors.Is(err, errPlain):
		return errPlain
	case errors.As(err, &name):
		return errors.New("its name is not found")
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid):
		return errors.New("its certificate is not trusted")
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer came within %s seconds", text.Count(int(Within.Seconds())))
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing answers there: the connection was refused")
	}
	var of *url.Error
	if errors.As(err, &of) && !errors.As(err, new(*net.OpError)) && !errors.Is(err, io.EOF) {
		return of.Err
	}
	return errors.New("the connection broke")
}

// refusal is what an answer means that is no 2xx.
func refusal(status int) error {
	if status >= 300 && status < 400 {
		return fmt.Errorf("it answered %d: redirects are not followed", status)
	}
	return fmt.Errorf("it answered %d", status)
}
