"""Writes abn-vgg-tiny.onnx and .json: an ABN without a global average pool, and Grad-CAM by PyTorch's autograd.

Run with torch 1.13: python3 abn_vgg_tiny.py. The perception branch ends as VGG does (pool, flatten, two layers with a
ReLU between), the attention branch as ABNs do. Weights are random; the values are what is compared.
"""
import json, torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(7)
C, K = 6, 4


class ABN(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.Sequential(nn.Conv2d(3, C, 3, 2, 1), nn.ReLU())
        self.att = nn.Sequential(nn.Conv2d(C, 8, 3, 1, 1), nn.ReLU())
        self.response = nn.Conv2d(8, K, 1)
        self.map = nn.Conv2d(K, 1, 3, 1, 1)
        self.per = nn.Sequential(nn.Conv2d(C, 10, 3, 1, 1), nn.BatchNorm2d(10), nn.ReLU())
        self.fc1, self.fc2 = nn.Linear(10 * 3 * 3, 12), nn.Linear(12, K)

    def attention(self, g):
        r = F.relu(self.response(self.att(g)))
        return torch.sigmoid(self.map(r)), r.mean((2, 3))

    def perception(self, g, m):
        a = self.per((1 + m) * g)
        return a, self.fc2(F.relu(self.fc1(F.max_pool2d(a, 2).flatten(1))))

    def forward(self, x):
        g = self.g(x)
        m, y_att = self.attention(g)
        return y_att, self.perception(g, m)[1], m


net = ABN().eval()
net.per[1].running_mean.normal_(0, 0.1)
net.per[1].running_var.uniform_(0.5, 1.5)
x, edited, classes = torch.randn(2, 3, 12, 12), torch.rand(2, 1, 6, 6), [1, 3]
torch.onnx.export(net, x, "abn-vgg-tiny.onnx", opset_version=13, input_names=["image"], output_names=["logits_att", "logits_per", "map"],
                  dynamic_axes={n: {0: "N"} for n in ["image", "logits_att", "logits_per", "map"]})


def grad_cam(m):
    a, y = net.perception(g, m)
    a.retain_grad()
    y[range(2), classes].sum().backward()
    return F.relu((a.grad.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))


g = net.g(x).detach()
m = net.attention(g)[0].detach()
digits = lambda t: [float(f"{v:.9g}") for v in t.flatten().tolist()]
json.dump({"features": digits(g), "map": digits(m), "edited": digits(edited), "classes": classes,
           "grad_cam": digits(grad_cam(m)), "grad_cam_edited": digits(grad_cam(edited))}, open("abn-vgg-tiny.json", "w"))
