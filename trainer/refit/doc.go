// Package refit fits the last layer of a perception branch anew when the branches have been trained.
//
// A fine-tuning ends with features that separate the classes better than the last layer makes use of: what it learned early, from
// a misleading scene, stays in it once the training loss is near 0. Deep feature reweighting (Kirichenko et al.,
// arXiv 2204.02937) fits that layer alone, on features that are then fixed, every class weighing the same.
//
//	layer.go     Find: the last linear layer of a network, and the graph that makes its input
//	logistic.go  Fit: multinomial logistic regression with L2 on standardised features, by L-BFGS
//
// A round does it in both arms, at their end (trainer/last_layer.go).
package refit
