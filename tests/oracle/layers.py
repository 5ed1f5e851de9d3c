"""The layers as sums and maxima with explicit indices: forward, error to the input, gradient of the weights.

Images are `[channel][row][column]`, convolution weights `[out][in][kernel row][kernel column]`, linear weights
`[out][in]`.
"""

from collections.abc import Iterator

from oracle.tensors import Shape, Tensor, filled, flat, shape_of, shaped

Tap = tuple[int, int, int, int, int, int, int, int]


def convolution_taps(weights: Shape, image: Shape, stride: int, padding: int) -> Iterator[Tap]:
    """Every product of a convolution, as `o, i, kernel row, kernel column, y, x, row, column`.

    The weight `[o][i][kernel row][kernel column]` joins the input `[i][row][column]` to the output `[o][y][x]`. Where
    the window hangs over the edge of the image the input is zero and there is no product.
    """
    out_channels, in_channels, kernel, _ = weights
    _, height, width = image
    for o in range(out_channels):
        for y in range((height + 2 * padding - kernel) // stride + 1):
            for x in range((width + 2 * padding - kernel) // stride + 1):
                for i in range(in_channels):
                    for kernel_row in range(kernel):
                        for kernel_column in range(kernel):
                            row = y * stride + kernel_row - padding
                            column = x * stride + kernel_column - padding
                            if 0 <= row < height and 0 <= column < width:
                                yield o, i, kernel_row, kernel_column, y, x, row, column


def conv2d_forward(weights: Tensor, image: Tensor, stride: int, padding: int) -> Tensor:
    """`accumulator[o][y][x] = sum of weight * input`."""
    out_channels, _, kernel, _ = shape_of(weights)
    _, height, width = shape_of(image)
    rows, columns = ((size + 2 * padding - kernel) // stride + 1 for size in (height, width))
    accumulator = filled((out_channels, rows, columns))
    for o, i, r, c, y, x, row, column in convolution_taps(shape_of(weights), shape_of(image), stride, padding):
        accumulator[o][y][x] += weights[o][i][r][c] * image[i][row][column]
    return accumulator


def conv2d_input_error(weights: Tensor, error: Tensor, image: Shape, stride: int, padding: int) -> Tensor:
    """`accumulator[i][row][column] = sum of weight * error`: the transpose of the forward sum."""
    accumulator = filled(image)
    for o, i, r, c, y, x, row, column in convolution_taps(shape_of(weights), image, stride, padding):
        accumulator[i][row][column] += weights[o][i][r][c] * error[o][y][x]
    return accumulator


def conv2d_gradient(weights: Shape, error: Tensor, image: Tensor, stride: int, padding: int) -> Tensor:
    """`gradient[o][i][kernel row][kernel column] = sum over output positions of error * input`."""
    gradient = filled(weights)
    for o, i, r, c, y, x, row, column in convolution_taps(weights, shape_of(image), stride, padding):
        gradient[o][i][r][c] += error[o][y][x] * image[i][row][column]
    return gradient


def linear_forward(weights: Tensor, vector: Tensor) -> Tensor:
    """`accumulator[o] = sum over i of weight[o][i] * input[i]`."""
    return [sum(weights[o][i] * vector[i] for i in range(len(vector))) for o in range(len(weights))]


def linear_input_error(weights: Tensor, error: Tensor) -> Tensor:
    """`accumulator[i] = sum over o of weight[o][i] * error[o]`."""
    return [sum(weights[o][i] * error[o] for o in range(len(error))) for i in range(len(weights[0]))]


def linear_gradient(error: Tensor, vector: Tensor) -> Tensor:
    """`gradient[o][i] = error[o] * input[i]`."""
    return [[error[o] * vector[i] for i in range(len(vector))] for o in range(len(error))]


def relu_forward(value: int) -> int:
    """Of one element."""
    return max(value, 0)


def relu_error(value: int, error: int) -> int:
    """Of one element and the error at its output."""
    return error if value > 0 else 0


def maxpool2d_forward(image: Tensor, n: int) -> Tensor:
    """The maximum of every whole n x n window."""
    channels, height, width = shape_of(image)
    output = filled((channels, height // n, width // n))
    for c in range(channels):
        for y in range(height // n):
            for x in range(width // n):
                output[c][y][x] = max(image[c][row][column] for row, column in window(y, x, n))
    return output


def maxpool2d_error(image: Tensor, error: Tensor, n: int) -> Tensor:
    """Each error goes to the first place in row-major order that holds its window's maximum."""
    input_error = filled(shape_of(image))
    for c, plane in enumerate(error):
        for y, line in enumerate(plane):
            for x, value in enumerate(line):
                maximum = max(image[c][row][column] for row, column in window(y, x, n))
                row, column = next(place for place in window(y, x, n) if image[c][place[0]][place[1]] == maximum)
                input_error[c][row][column] = value
    return input_error


def window(y: int, x: int, n: int) -> list[tuple[int, int]]:
    """The places of a pooling window in row-major order."""
    return [(row, column) for row in range(n * y, n * y + n) for column in range(n * x, n * x + n)]


def flatten_forward(tensor: Tensor) -> Tensor:
    """The elements in row-major order."""
    return list(flat(tensor))


def flatten_error(shape: Shape, error: Tensor) -> Tensor:
    """The errors in the shape of the layer's input."""
    return shaped(iter(error), shape)
