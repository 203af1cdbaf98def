// Package orders says in which orders images are given to people to be painted, and how a project mixes them. The studio's queue and
// studio study rounds take the names, which images an order gives, and the comparison from here.
//
//	order.go   the orders, which images each gives, what comes first
//	mix.go     a project's shares, and which order's turn it is
//	spread.go  images far apart: k-center greedy
package orders
