// Package bench measures how fast the studio works, as ratios to the bare runtime. The command studio bench reads flags and prints; the
// measurements are here.
//
// Two things that are compared take turns within one run, so that a busy or a different machine affects both alike.
//
//	subject.go       the network and the pictures that scan.go and score.go time
//	scan.go          a scan of files against runs of the same pixels from memory
//	score.go         live scores against bare runs of the perception branch
//	features.go      an epoch's reading of cached features against reading their files (forget_*.go: from the disk)
//	train.go         training steps, in turns with (train_engine.go, train_product.go) our engines and a matrix product;
//	                 train_network.go: what is trained; train_resident.go: its memory; profile.go: its operators
//	pytorch.go       the same in PyTorch: pytorch.py has plain modules and what is timed, train_, scan_ and score_pytorch.go what it
//	                 works on and that it computes the same
//	table.go         all three in PyTorch and here, as one table; machine.go: what it was measured on
//	serve.go         pages and actions of a running studio while many people paint; postgres.GrowProject makes its project
//	statistics.go    medians, quantiles; processor_*.go: processor time
package bench
