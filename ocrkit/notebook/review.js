// Keys and mouse of review.py. A Text of ipywidgets knows neither Escape nor the place of the cursor,
// so a key is sent as a command: the value of a hidden field, with the text as it is at this moment.
if (!window.ocrkitReview) {
  window.ocrkitReview = true;
  const KEYS = {Enter: 'right', Escape: 'skip', PageUp: 'undo'};

  const stepOf = review => review.querySelector('[data-step]').dataset.step;

  // Whether the kernel still works on the command before.
  const waits = review => review.dataset.sent === stepOf(review);

  const send = (review, action) => {
    if (waits(review)) return;
    const step = stepOf(review);
    review.dataset.sent = step;
    const command = review.querySelector('.ocrkit-command input');
    const box = [...review.querySelectorAll('.ocrkit-outline input')].map(input => Number(input.value));
    const text = review.querySelector('.ocrkit-text input').value;
    command.value = JSON.stringify({step: Number(step), action, text, box});
    command.dispatchEvent(new Event('input', {bubbles: true}));
  };

  // A box that is drawn on the page: where it begins, and the element that shows it.
  let drawn = null;
  const SMALLEST = 4;  // px of the screen: less is a click

  // A place of the mouse on the picture, in px of the screen from its corner.
  const placeOn = (picture, event) => {
    const {left, top, width, height} = picture.getBoundingClientRect();
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    return [inside(event.clientX - left, width), inside(event.clientY - top, height)];
  };

  const boxTo = event => {
    const [x, y] = placeOn(drawn.picture, event), [x0, y0] = drawn.start;
    return [Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)];
  };

  const use = (review, picture, box) => {
    if (waits(review)) return;
    const [left, top, width, height] = picture.parentElement.dataset.place.split(' ').map(Number);
    const shown = picture.getBoundingClientRect();
    const start = [left, top], pixels = [width / shown.width, height / shown.height];
    review.querySelectorAll('.ocrkit-outline input').forEach((input, side) => {
      input.value = Math.round(start[side % 2] + box[side] * pixels[side % 2]);
    });
    send(review, 'redraw');
    review.querySelector('.ocrkit-text input').focus();
  };

  const insert = (review, letter) => {
    const field = review.querySelector('.ocrkit-text input');
    field.setRangeText(letter, field.selectionStart, field.selectionEnd, 'end');
    field.focus();
  };

  const press = (event, review) => {
    if (event.isComposing) return false;
    const field = event.target.matches('.ocrkit-text input');
    const outline = event.target.matches('.ocrkit-outline input');
    const letter = event.altKey && /^Digit([1-9])$/.exec(event.code);
    if (letter) {
      const button = review.querySelectorAll('.ocrkit-letter')[letter[1] - 1];
      if (button) insert(review, button.title);
    } else if (event.altKey && event.code === 'KeyO') {
      review.querySelector('.ocrkit-outline input').focus();
    } else if (event.key === 'Delete' && field && (event.ctrlKey || !event.target.value)) {
      send(review, 'no text');
    } else if (event.key === 'Enter' && outline) {
      send(review, 'redraw');
    } else if (event.key === 'Escape' && outline) {
      review.querySelector('.ocrkit-text input').focus();
    } else if (field && event.key in KEYS) {
      if (!event.repeat) send(review, KEYS[event.key]);
    } else {
      return false;
    }
    return true;
  };

  // On the window and before all others: JupyterLab has uses of its own for Escape.
  window.addEventListener('keydown', event => {
    const review = event.target.closest?.('.ocrkit-review');
    if (review && press(event, review)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
  window.addEventListener('pointerdown', event => {
    const picture = event.target.closest?.('.ocrkit-review .ocrkit-strip img');
    if (!picture || event.button) return;
    event.preventDefault();  // the browser would drag the picture away
    drawn?.shown.remove();
    picture.setPointerCapture(event.pointerId);  // so that the end of the box is seen outside of it too
    const shown = picture.parentElement.appendChild(document.createElement('div'));
    shown.className = 'ocrkit-drawn';
    drawn = {picture, shown, start: placeOn(picture, event)};
  }, true);
  window.addEventListener('dragstart', event => {
    if (drawn) event.preventDefault();
  }, true);
  window.addEventListener('pointermove', event => {
    if (!drawn) return;
    const [x0, y0, x1, y1] = boxTo(event);
    const style = {left: x0, top: y0, width: x1 - x0, height: y1 - y0};
    for (const [name, value] of Object.entries(style)) drawn.shown.style[name] = `${value}px`;
  }, true);
  window.addEventListener('pointerup', event => {
    if (!drawn) return;
    const {picture, shown} = drawn, box = boxTo(event);
    drawn = null;
    shown.remove();
    const large = Math.min(box[2] - box[0], box[3] - box[1]) >= SMALLEST;
    if (large && picture.isConnected) use(picture.closest('.ocrkit-review'), picture, box);
  }, true);
  window.addEventListener('pointercancel', () => {
    drawn?.shown.remove();
    drawn = null;
  }, true);
  window.addEventListener('click', event => {
    const button = event.target.closest?.('.ocrkit-review button');
    const action = /ocrkit-do-([a-z-]+)/.exec(button?.className ?? '');
    const letter = button?.classList.contains('ocrkit-letter');
    if (!action && !letter) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const review = button.closest('.ocrkit-review');
    if (letter) {
      insert(review, button.title);
    } else {
      send(review, action[1].replace('-', ' '));
      review.querySelector('.ocrkit-text input').focus();
    }
  }, true);
}
