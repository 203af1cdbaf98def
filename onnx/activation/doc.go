// Package activation makes graphs that say where a branch of an ABN looks for a class by other methods than its attention map:
// class activation mapping (CAM) and Grad-CAM; and where more or less attention would help the class. It makes a graph of a graph;
// running them is internal/ort's.
//
// # Axes
//
//	N batch, C channels of the weighted value A, h×w its cells, Z = h·w, K classes
//
// # The methods
//
//	CAM       M_k = Σ_c w_{k,c}·A_c                    Zhou et al., arXiv 1512.04150, eq. 2
//	Grad-CAM  L_k = ReLU(Σ_c α_{k,c}·A_c)              Selvaraju et al., arXiv 1610.02391, eqs. 1 and 2
//	          α_{k,c} = 1/Z Σ_ij ∂y_k/∂A_c(i,j)
//	help      ∂ log p_k / ∂ M, p = softmax(y)          by the map that the perception branch reads
//
// y_k is the branch's logit of class k, before any softmax. CAM needs a branch that ends in a global average pool of A and a
// linear head with weights w; Grad-CAM only needs derivatives. If both are possible, y_k = 1/Z Σ_ij M_k + b_k, so that α_{k,c} =
// w_{k,c}/Z and L_k = ReLU(M_k)/Z. The attention branch of an ABN averages a response of K channels: w is then the identity, and
// that response, its bias included, is the CAM.
//
//	branch.go    the two branches, and the graph both methods give
//	head.go      following the logits back to a global average pool
//	cam.go       CAM
//	grad_cam.go  Grad-CAM, and which value it weights
//	help.go      what would help
package activation
