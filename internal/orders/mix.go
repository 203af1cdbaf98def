package orders

import (
	"fmt"
	"strings"
)

// Mix is the share of each order in what is given out, in per cent; an order that is not there has none.
type Mix map[Order]int

// Usual is the mix of a project that has set none: as the paper does, the mistakes alone.
func Usual() Mix { return Mix{ConfidentlyWrong: 100} }

// Problem says what is wrong with a mix, "" if nothing is.
func (m Mix) Problem() string {
	sum := 0
	for order, share := range m {
		if order.Kind().Order == "" {
			return fmt.Sprintf("%q is no order: there are %s", order, words())
		}
		if share < 0 || share > 100 {
			return fmt.Sprintf("the share of %s is between 0 and 100 per cent, not %d", order, share)
		}
		sum += share
	}
	if sum != 100 {
		return fmt.Sprintf("the shares make %d per cent together: make them 100", sum)
	}
	return ""
}

func words() string {
	var all []string
	for _, order := range All() {
		all = append(all, string(order))
	}
	return strings.Join(all, ", ")
}

// Equal reports whether two mixes give each order the same share.
func (m Mix) Equal(other Mix) bool {
	for _, order := range All() {
		if m[order] != other[order] {
			return false
		}
	}
	return true
}

// String lists the shares: "confident 60 %, random 40 %".
func (m Mix) String() string {
	var parts []string
	for _, order := range All() {
		if m[order] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d %%", order, m[order]))
		}
	}
	return strings.Join(parts, ", ")
}

// Asks reports whether an order has a share.
func (m Mix) Asks(order Order) bool { return m[order] > 0 }

// Takes reports whether an order with a share gives images that the network gets right, or wrong.
func (m Mix) Takes(right bool) bool {
	for order, share := range m {
		if share > 0 && order.Takes(right) {
			return true
		}
	}
	return false
}

// Single returns the order that has all of the mix, if one has.
func (m Mix) Single() (order Order, ok bool) {
	for order, share := range m {
		if share == 100 {
			return order, true
		}
	}
	return "", false
}

// Tally counts how often each order had its turn since the mix was set.
type Tally map[Order]int

// Next returns the order, of those that are not in passed, that is furthest behind its share: the one with the largest
// share·(turns + 1)/100 − turns of its own. ok is false when all orders with a share are passed.
//
// So the shares hold from the first images on: where no order is passed over, each is within two turns of its share at any time.
func (t Tally) Next(m Mix, passed map[Order]bool) (next Order, ok bool) {
	turns := 1
	for _, n := range t {
		turns += n
	}
	most := 0
	for _, order := range All() {
		if m[order] == 0 || passed[order] {
			continue
		}
		if behind := m[order]*turns - 100*t[order]; !ok || behind > most {
			next, most, ok = order, behind, true
		}
	}
	return next, ok
}
